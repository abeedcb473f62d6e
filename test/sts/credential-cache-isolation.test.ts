import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { IssueResult } from '../../src/core/credentials.ts';
import type { Attribution } from '../../src/core/session/attribution.ts';
import type { SessionPlan } from '../../src/core/session/session.ts';
import { type SessionWishes, wishedSession } from '../../src/core/session/session-wishes.ts';
import { CredentialCache } from '../../src/sts/credential-cache.ts';
import { sameSession, sessionKey } from '../../src/sts/session-key.ts';
import { mapping, snapshotOf } from '../support/domain.ts';
import { portion, runs } from '../support/fuzz-budget.ts';
import { askerOf } from '../support/scripted-sts.ts';
import { type PlannedCall, type PlanParts, planned } from '../support/session-plans.ts';
import { type StsFixture, startStsFixture } from '../support/sts-fixture.ts';
import { createTestClock } from '../support/test-clock.ts';

const clock = createTestClock();
let sts: StsFixture;
let cache: CredentialCache;
beforeEach(async () => {
  sts = await startStsFixture({
    clock,
    maxInFlight: 1000,
    // A thousand at once keep this process busy for longer than the usual limits.
    connectTimeoutMs: 60_000,
    requestTimeoutMs: 60_000,
    totalTimeoutMs: 60_000,
  });
  cache = new CredentialCache({ issuer: sts.adapter, clock });
});
afterEach(() => sts.stop());

function told(
  tags: readonly (readonly [string, string])[],
  transitiveTagKeys: readonly string[] = [],
  source?: string,
): Attribution {
  const claim = undefined;
  return {
    tags: tags.map(([key, value]) => ({ key, value, claim })),
    transitiveTagKeys,
    sourceIdentity: source === undefined ? undefined : { value: source, claim },
  };
}

/** Some values of everything that shapes a session or says whose it is. */
const components: Readonly<Record<string, readonly PlanParts[]>> = {
  issuer: ['https://a.example', 'https://b.example'].map((issuer) => ({ caller: { issuer } })),
  pool: ['us-east-1_Aaaaaaaaa', 'us-east-1_Bbbbbbbbb'].map((pool) => ({ caller: { pool } })),
  subject: ['alice-subject', 'bob-subject'].map((subject) => ({ caller: { subject } })),
  clientId: ['one', 'two', '', undefined].map((clientId) => ({ caller: { clientId } })),
  tokenUse: (['access', 'id', 'openid'] as const).map((tokenUse) => ({ caller: { tokenUse } })),
  audience: ['one', 'two', '', undefined].map((audience) => ({ caller: { audience } })),
  sessionClaims: ['', 'a=1', 'a=2'].map((sessionClaims) => ({ caller: { sessionClaims } })),
  roleArn: ['123456789012', '210987654321'].map((account) => ({
    roleArn: `arn:aws:iam::${account}:role/orders`,
  })),
  mappingId: ['one', 'two'].map((mappingId) => ({ mappingId })),
  mappingVersion: [1, 2, 12].map((mappingVersion) => ({ mappingVersion })),
  sessionName: ['one', 'two'].map((sessionName) => ({ sessionName })),
  durationSeconds: [3600, 3601].map((durationSeconds) => ({ durationSeconds })),
  policy: ['{"a":1}', '{"a":2}', undefined].map((policy) => ({ policy })),
  policyArns: [[], ['One'], ['Two'], ['One', 'Two'], ['Two', 'One']].map((policies) => ({
    policyArns: policies.map((name) => `arn:aws:iam::aws:policy/${name}`),
  })),
  identity: (['caller', 'broker', undefined] as const).map((identity) => ({ identity })),
  attribution: [
    undefined,
    told([['team', 'a']]),
    told([['team', 'b']]),
    told([['tenant', 'a']]),
    told([
      ['team', 'a'],
      ['tenant', 'a'],
    ]),
    told(
      [
        ['team', 'a'],
        ['tenant', 'a'],
      ],
      ['team'],
    ),
    told(
      [
        ['team', 'a'],
        ['tenant', 'a'],
      ],
      ['team', 'tenant'],
    ),
    told([], [], 'ada'),
    told([], [], 'bob'),
  ].map((attribution) => ({ attribution })),
};
const names = Object.keys(components);

/** Which value each component has. */
type Choices = readonly number[];
const choices: fc.Arbitrary<Choices> = fc.tuple(
  ...names.map((name) => fc.nat((components[name]?.length ?? 0) - 1)),
);

function planFor(chosen: Choices, nonce = ''): PlannedCall {
  let parts: PlanParts = {};
  names.forEach((name, index) => {
    const part = components[name]?.[chosen[index] ?? 0] ?? {};
    parts = { ...parts, ...part, caller: { ...parts.caller, ...part.caller } };
  });
  return planned(parts, `${chosen} ${nonce}`);
}

const someChoices: Choices = names.map(() => 0);
/** Every way to differ from that in one component. */
const neighbours = names.flatMap((name, index) =>
  (components[name] ?? [])
    .slice(1)
    .map((_part, value) => [name, value + 1, someChoices.with(index, value + 1)] as const),
);

function expectOwn({ session }: IssueResult, plan: SessionPlan, tokens: ReadonlySet<string>): void {
  const asker = askerOf(session.credentials.sessionToken);
  expect(tokens).toContain(asker.token);
  expect(asker).toMatchObject({
    roleArn: plan.roleArn,
    sessionName: plan.sessionName,
    subject: plan.caller.subject,
    durationSeconds: plan.durationSeconds,
    policy: plan.policy ?? null,
    policyArns: plan.policyArns,
  });
}

describe('credentials in the cache', () => {
  it('never reach another caller or another plan, whatever is asked for at once and afterwards (T28)', async () => {
    const request = fc.record({
      chosen: choices,
      /** The single component in which the neighbour of this plan differs. */
      component: fc.nat(names.length - 1),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
        const pairs = requests.flatMap(({ chosen, component }) => {
          const count = components[names[component] ?? '']?.length ?? 1;
          return [chosen, chosen.with(component, ((chosen[component] ?? 0) + 1) % count)];
        });
        const tokensOf = new Map<string, Set<string>>();
        const calls = [...pairs, ...pairs].map((chosen, index) => {
          const call = planFor(chosen, String(index));
          // By the parts themselves, not by the code under test.
          const whose = JSON.stringify(identityOf(call.plan));
          const tokens = tokensOf.get(whose) ?? new Set();
          tokensOf.set(whose, tokens.add(call.token));
          return { ...call, tokens };
        });
        const fresh = new CredentialCache({ issuer: sts.adapter, clock });
        const askAll = () =>
          Promise.all(calls.map(async ({ plan, token }) => fresh.issue(plan, token)));

        for (const results of [await askAll(), await askAll()]) {
          results.forEach((result, index) => {
            const call = calls[index];
            if (call !== undefined) expectOwn(result, call.plan, call.tokens);
          });
        }
      }),
      runs(40),
    );
  });

  it('of callers who ask at the same time, however many, go to each their own (T28)', async () => {
    const callers = portion(1000);
    const calls = Array.from({ length: callers }, (_, index) =>
      planned({ caller: { subject: `subject-${index}` } }),
    );

    const results = await Promise.all(
      calls.map(async ({ plan, token }) => cache.issue(plan, token)),
    );

    results.forEach((result, index) => {
      const call = calls[index];
      if (call !== undefined) expectOwn(result, call.plan, new Set([call.token]));
    });
    expect(sts.servers[0].calls).toHaveLength(callers);
  });

  it.each(neighbours)(
    'are told apart by %s alone (value %i) (T23, T28)',
    async (_name, _value, neighbour) => {
      const [one, other] = [planFor(someChoices), planFor(neighbour)];

      const results = await Promise.all(
        [one, other].map(async ({ plan, token }) => cache.issue(plan, token)),
      );

      const askers = results.map(({ session }) => askerOf(session.credentials.sessionToken).token);
      expect(askers).toEqual([one.token, other.token]);
      expect(sts.servers[0].calls).toHaveLength(2);
    },
  );
});

describe('credentials of one caller who wishes for several sessions', () => {
  const session = { name: '{requested}@{client}', callerPolicy: true };
  const compiled = snapshotOf(mapping('orders-writer', { session })).byId.get('orders-writer');
  const one = planned();
  const asked = (wishes: SessionWishes): SessionPlan => {
    if (compiled === undefined) throw new Error('no mapping');
    const wished = wishedSession(compiled, one.plan, wishes);
    if (wished.kind !== 'planned') throw new Error(wished.kind);
    return wished.session;
  };
  const policyFor = (bucket: string, space = 0) =>
    JSON.stringify(
      {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: `arn:aws:s3:::${bucket}` }],
      },
      undefined,
      space,
    );
  const arns = ['One', 'Two'].map((name) => `arn:aws:iam::aws:policy/${name}`);

  it('are never those of another wish', async () => {
    const plans = [
      {},
      { policy: policyFor('one') },
      { policy: policyFor('two') },
      { policyArns: arns },
      { policyArns: arns.slice(0, 1) },
      { policy: policyFor('one'), policyArns: arns },
      { sessionName: 'one' },
      { sessionName: 'two' },
      { sessionName: 'one', policy: policyFor('one') },
    ].map(asked);
    for (let round = 0; round < 2; round++) {
      const results = await Promise.all(plans.map(async (plan) => cache.issue(plan, one.token)));
      results.forEach((result, index) => {
        const plan = plans[index];
        if (plan !== undefined) expectOwn(result, plan, new Set([one.token]));
      });
    }
    expect(sts.servers[0].calls).toHaveLength(plans.length);
  });

  it('are shared whatever the white space and the order of policy ARNs', async () => {
    for (const wishes of [
      { policy: policyFor('one'), policyArns: arns },
      { policy: policyFor('one', 2), policyArns: arns },
      { policy: `${policyFor('one')}\n`, policyArns: arns.toReversed() },
    ]) {
      await cache.issue(asked(wishes), one.token);
    }
    expect(sts.servers[0].calls).toHaveLength(1);
  });
});

describe('the identity of a session (T28)', () => {
  it('is equal exactly for equal plans, by digest and by comparison', () => {
    fc.assert(
      fc.property(choices, choices, (a, b) => {
        const [one, other] = [planFor(a, 'x').plan, planFor(b, 'y').plan];
        const equal = JSON.stringify(identityOf(one)) === JSON.stringify(identityOf(other));
        expect(sessionKey(one) === sessionKey(other)).toBe(equal);
        expect(sameSession(one, other)).toBe(equal);

        const again = planFor(a, 'another token').plan;
        expect(sessionKey(again)).toBe(sessionKey(one));
        expect(sameSession(again, one)).toBe(true);
      }),
    );
  });

  it('keeps components apart that run together when joined', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
        const one = planned({ caller: { clientId: a + b }, mappingId: c }).plan;
        const other = planned({ caller: { clientId: a }, mappingId: b + c }).plan;
        expect(sessionKey(one) === sessionKey(other)).toBe(b === '');
      }),
    );
  });
});

/** Written out once more, so that a component forgotten in the source is missed here. */
function identityOf({ caller, ...plan }: SessionPlan): unknown[] {
  return [
    caller.issuer,
    caller.pool,
    caller.subject,
    [caller.clientId],
    caller.tokenUse,
    caller.audience,
    caller.sessionClaims,
    plan.roleArn,
    plan.mappingId,
    plan.mappingVersion,
    plan.sessionName,
    plan.durationSeconds,
    [plan.policy],
    plan.policyArns,
  ];
}
