import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Caller } from '../../../src/core/caller.ts';
import { mayBeKept } from '../../../src/core/policy/decide.ts';
import { defaultGuardrails } from '../../../src/core/policy/guardrails.ts';
import { checkRoleMapping } from '../../../src/core/policy/mapping-check.ts';
import { compileSnapshot } from '../../../src/core/policy/policy-snapshot.ts';
import type { RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import type { SessionPlan } from '../../../src/core/session/session.ts';
import {
  type SessionWishes,
  type WishedSession,
  wishedSession,
} from '../../../src/core/session/session-wishes.ts';
import { sessionKey } from '../../../src/sts/session-key.ts';
import { ask, caller, claimRef, mappingDocument } from '../../support/domain.ts';
import { runs, seenMoreThan } from '../../support/fuzz-budget.ts';

type SessionInput = NonNullable<RoleMappingInput['session']>;

const policyFor = (resource: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: resource }],
});
const textFor = (name: string) => JSON.stringify(policyFor(`arn:aws:s3:::${name}/*`));
const arn = (name: string) => `arn:aws:iam::aws:policy/${name}`;
const rules = { matchableClaims: new Set<string>(), guardrails: defaultGuardrails };

function compiled(session: SessionInput, version = 1) {
  const checked = checkRoleMapping(mappingDocument('orders', { session }), rules);
  if (checked.kind === 'invalid') throw new Error(JSON.stringify(checked.faults));
  const snapshot = compileSnapshot(1, [{ mapping: checked.mapping, version }]);
  const one = snapshot.byId.get('orders');
  if (one === undefined) throw new Error('no mapping');
  return { snapshot, mapping: one };
}

/** Of one compiled mapping: the session as decided, and as somebody would like it. */
function wishing(session: SessionInput) {
  const { snapshot, mapping } = compiled(session);
  const decided = (by: Caller, durationSeconds?: number): SessionPlan => {
    const decision = ask({ policy: [mapping.mapping], by, durationSeconds });
    if (decision.kind !== 'allow') throw new Error(decision.kind);
    return decision.session;
  };
  return {
    snapshot,
    decided,
    wish: (wishes: SessionWishes, by = caller(), durationSeconds?: number): WishedSession =>
      wishedSession(mapping, decided(by, durationSeconds), wishes),
  };
}

function planOf(wished: WishedSession): SessionPlan {
  if (wished.kind !== 'planned') throw new Error(wished.kind);
  return wished.session;
}

const open = { name: '{requested}@{sub}', callerPolicy: true };

describe('a session without wishes', () => {
  it('is the very one that was decided', () => {
    const { decided, wish } = wishing(open);
    for (const wishes of [{}, { policyArns: [] }, { sessionName: undefined, policy: undefined }]) {
      const by = caller();
      expect(planOf(wish(wishes, by))).toEqual(decided(by));
    }
  });

  it('is the same object each time, also for a name that does not count', () => {
    const { mapping } = compiled({ name: '{sub}' });
    const decision = ask({ policy: [mapping.mapping] });
    if (decision.kind !== 'allow') throw new Error(decision.kind);
    for (const sessionName of [undefined, 'one', 'two']) {
      expect(planOf(wishedSession(mapping, decision.session, { sessionName }))).toBe(
        decision.session,
      );
    }
  });
});

describe('a session policy of the caller', () => {
  it('is all that there is besides the role, where the mapping takes one', () => {
    const { decided, wish } = wishing(open);
    const by = caller();
    const wishes = { policy: ` ${textFor('a')}`, policyArns: [arn('B'), arn('A')] };
    expect(planOf(wish(wishes, by))).toEqual({
      ...decided(by),
      policy: textFor('a'),
      policySha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      policyArns: [arn('A'), arn('B')],
    });
  });

  it.each<[string, SessionInput]>([
    ['says nothing', {}],
    ['says no', { callerPolicy: false }],
    ['has its own', { policy: policyFor('arn:aws:s3:::own/*') }],
    ['has ARNs of its own', { policyArns: [arn('Own')] }],
  ])('is refused where the mapping %s', (_case, session) => {
    const { wish } = wishing(session);
    const refused = { kind: 'policy_not_allowed' };
    expect(wish({ policy: textFor('a') })).toEqual(refused);
    expect(wish({ policyArns: [arn('A')] })).toEqual(refused);
    // Not even its form is looked at.
    expect(wish({ policy: '' })).toEqual(refused);
    expect(wish({ policyArns: ['x'] })).toEqual(refused);
  });

  it('is refused where it cannot work, each time anew', () => {
    const { wish } = wishing(open);
    for (let time = 0; time < 2; time++) {
      expect(wish({ policy: '{}' })).toMatchObject({ kind: 'policy_invalid' });
      expect(wish({ policy: '' })).toMatchObject({ kind: 'policy_invalid' });
      expect(wish({ policyArns: ['x'] })).toMatchObject({ kind: 'policy_invalid' });
    }
  });

  it('goes with the mapping that took it', () => {
    const { snapshot, wish } = wishing(open);
    const plan = planOf(wish({ policy: textFor('a') }));
    expect(mayBeKept(snapshot, plan)).toBe(true);
    const { callerPolicy: _gone, ...closed } = open;
    expect(mayBeKept(compiled(closed, 2).snapshot, plan)).toBe(false);
  });
});

const names = fc.constantFrom('{sub}', '{requested}@{sub}', '{client}');
const ownPolicies = fc.record(
  {
    name: names,
    callerPolicy: fc.constant(false),
    policy: fc.constantFrom(
      policyFor('arn:aws:s3:::own/*'),
      policyFor(`arn:aws:s3:::${claimRef('sub')}/*`),
    ),
    policyArns: fc.subarray([arn('OwnOne'), arn('OwnTwo')]),
  },
  { requiredKeys: ['name'] },
);
const sessions: fc.Arbitrary<SessionInput> = fc.oneof(
  fc.record({ name: names, callerPolicy: fc.constant(true) }),
  ownPolicies,
);

const wishesOf: fc.Arbitrary<SessionWishes> = fc.record(
  {
    sessionName: fc.constantFrom('a', 'b', 'not legal', '@'),
    policy: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(textFor('a'), textFor('b'), `${textFor('a')} `) },
      { weight: 1, arbitrary: fc.oneof(fc.constantFrom('{}', '', claimRef('sub')), fc.string()) },
    ),
    policyArns: fc.oneof(
      { weight: 4, arbitrary: fc.array(fc.constantFrom(arn('A'), arn('B')), { maxLength: 3 }) },
      { weight: 1, arbitrary: fc.constant([arn('A'), 'x']) },
    ),
  },
  { requiredKeys: [] },
);
const callers = fc.constantFrom('a', 'b', 'c').map((subject) => caller({ subject }));
const durations = fc.constantFrom(900, 1800, 3600);

const brings = ({ policy, policyArns = [] }: SessionWishes) =>
  policy !== undefined || policyArns.length > 0;

/** Each once, in the order of their names. */
function distinctArns({ policyArns = [] }: SessionWishes): readonly string[] {
  return [arn('A'), arn('B')].filter((one) => policyArns.includes(one));
}

/** Everything of a session but what a wish may change. */
function decidedPart({ sessionName, policy, policySha256, policyArns, ...rest }: SessionPlan) {
  return rest;
}

describe('whatever is wished for', () => {
  it('leaves the policies of the mapping as they are, or is all the policy that there is', () => {
    const seen = { mappings: 0, callers: 0 };
    fc.assert(
      fc.property(sessions, wishesOf, callers, durations, (session, wishes, by, seconds) => {
        const { decided, wish } = wishing(session);
        const before = decided(by, seconds);
        const wished = wish(wishes, by, seconds);
        if (wished.kind !== 'planned') return;
        const { policy, policyArns } = wished.session;
        if (!brings(wishes)) {
          seen.mappings += 1;
          expect([policy, policyArns]).toEqual([before.policy, before.policyArns]);
          return;
        }
        seen.callers += 1;
        // A union with another policy would be wider.
        expect([session.callerPolicy, before.policy, before.policyArns]).toEqual([
          true,
          undefined,
          [],
        ]);
        expect(policy).toEqual(wishes.policy?.trim());
        expect(policyArns).toEqual(distinctArns(wishes));
      }),
      runs(3000),
    );
    expect(Math.min(seen.mappings, seen.callers)).toBeGreaterThan(seenMoreThan(50));
  });

  it('changes nothing but the name, where that is open, and the policies', () => {
    fc.assert(
      fc.property(sessions, wishesOf, callers, durations, (session, wishes, by, seconds) => {
        const { decided, wish } = wishing(session);
        const before = decided(by, seconds);
        const wished = wish(wishes, by, seconds);
        if (wished.kind !== 'planned') return;
        expect(decidedPart(wished.session)).toEqual(decidedPart(before));
        if (session.name !== '{requested}@{sub}') {
          expect(wished.session.sessionName).toBe(before.sessionName);
        }
      }),
      runs(1000),
    );
  });

  it('is refused as a whole where a policy is brought and not taken', () => {
    fc.assert(
      fc.property(sessions, wishesOf, callers, (session, wishes, by) => {
        fc.pre(brings(wishes) && session.callerPolicy !== true);
        expect(wishing(session).wish(wishes, by)).toEqual({ kind: 'policy_not_allowed' });
      }),
    );
  });

  it('is answered the same, however much was asked for in between', () => {
    const { mapping } = compiled(open);
    const asked = fc.record({ wishes: wishesOf, by: callers, seconds: durations });
    const known = new Map<string, Caller>();
    fc.assert(
      fc.property(fc.array(asked, { minLength: 20, maxLength: 60 }), (list) => {
        for (const { wishes, by, seconds } of list) {
          // One object per caller, as the validator gives.
          const same = known.get(by.subject) ?? by;
          known.set(by.subject, same);
          const plan = (whose: Caller) => {
            const decision = ask({
              policy: [mapping.mapping],
              by: whose,
              durationSeconds: seconds,
            });
            if (decision.kind !== 'allow') throw new Error(decision.kind);
            return decision.session;
          };
          const fresh = caller({ subject: by.subject });
          expect(strip(wishedSession(mapping, plan(same), wishes))).toEqual(
            strip(wishedSession(mapping, plan(fresh), wishes)),
          );
        }
      }),
      runs(50),
    );
  });

  it('never makes one session of two that differ in it, and always one of two that do not', () => {
    const { wish } = wishing(open);
    const meaning = (wishes: SessionWishes) =>
      JSON.stringify([wishes.sessionName ?? 'orders', wishes.policy?.trim(), distinctArns(wishes)]);
    fc.assert(
      fc.property(wishesOf, wishesOf, callers, callers, (one, two, a, b) => {
        const [first, second] = [wish(one, a), wish(two, b)];
        if (first.kind !== 'planned' || second.kind !== 'planned') return;
        const same = a.subject === b.subject && meaning(one) === meaning(two);
        expect(sessionKey(first.session) === sessionKey(second.session)).toBe(same);
        if (a.subject !== b.subject) {
          expect(first.session.sessionName).not.toBe(second.session.sessionName);
        }
      }),
      runs(1500),
    );
  });
});

/** Without the caller, who is another object. */
function strip(wished: WishedSession): unknown {
  return wished.kind === 'planned' ? { ...wished.session, caller: undefined } : wished;
}
