import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Caller } from '../../../src/core/caller.ts';
import { type ClaimScalar, type ClaimValue, claimValue } from '../../../src/core/claim-value.ts';
import { needsApproval, noApproval } from '../../../src/core/policy/approval.ts';
import { decide } from '../../../src/core/policy/decide.ts';
import { freezeMapping } from '../../../src/core/policy/freeze.ts';
import { isNarrowing } from '../../../src/core/policy/narrowing.ts';
import { compileSnapshot, type PolicySnapshot } from '../../../src/core/policy/policy-snapshot.ts';
import {
  type Principal,
  type RoleMapping,
  type RoleMappingInput,
  roleMappingSchema,
} from '../../../src/core/policy/role-mapping.ts';
import type { SessionPlan } from '../../../src/core/session/session.ts';
import { atOnce } from '../../../src/kit/timing/in-turns.ts';
import {
  caller,
  claimRef,
  domainPool,
  machineCaller,
  mapping,
  otherPool,
  roleArn,
} from '../../support/domain.ts';
import { runs, seenMoreThan } from '../../support/fuzz-budget.ts';

const client = { pool: domainPool, client: 'orders' };
const user = { pool: domainPool, user: 'ada' };
const group = { pool: domainPool, group: 'team' };
const read = { Effect: 'Allow', Action: 's3:GetObject', Resource: '*' };
const write = { Effect: 'Allow', Action: 's3:PutObject', Resource: '*' };
const ofClaim = { ...write, Resource: `arn:aws:s3:::books/${claimRef('sub')}` };
const forbid = { Effect: 'Deny', Action: 's3:DeleteObject', Resource: '*' };
const policy = (...Statement: readonly object[]) => ({ Version: '2012-10-17', Statement });
const arn = (name: string) => `arn:aws:iam::aws:policy/${name}`;

function allow(fields: Partial<RoleMappingInput> = {}): RoleMapping {
  return mapping('one', { principal: client, role: roleArn('one'), ...fields });
}

function deny(fields: Partial<RoleMappingInput> = {}): RoleMapping {
  return allow({ effect: 'deny', ...fields });
}

function snapshotOf(rows: readonly (RoleMapping | undefined)[]): PolicySnapshot {
  const present = rows.filter((row) => row !== undefined);
  return compileSnapshot(
    1,
    present.map((row) => ({ mapping: row, version: 1 })),
  );
}

function narrows(
  before: RoleMapping | undefined,
  after: RoleMapping | undefined,
  ...others: readonly RoleMapping[]
): boolean {
  return atOnce(isNarrowing({ before, after }, snapshotOf(others).byId.values()));
}

describe('proven to narrow access', () => {
  const session = (fields: RoleMappingInput['session']) => allow({ session: fields });
  const conditions = (fields: RoleMappingInput['conditions']) => allow({ conditions: fields });
  const denying = (fields: RoleMappingInput['conditions']) => deny({ conditions: fields });

  it.each<[string, RoleMapping | undefined, RoleMapping | undefined]>([
    ['an allow goes', allow(), undefined],
    ['an allow is switched off', allow(), allow({ enabled: false })],
    ['an allow becomes a deny', allow(), deny()],
    ['a deny comes', undefined, deny()],
    ['an allow comes that is switched off', undefined, allow({ enabled: false })],
    ['nothing changes', allow(), allow()],
    ['words change', allow(), allow({ description: 'new', owner: 'others', managedBy: 'git' })],
    ['a shorter session', session({ maxDurationSeconds: 7200 }), session({})],
    ['a policy where there was none', allow(), session({ policy: policy(read) })],
    ['a managed policy where there was none', allow(), session({ policyArns: [arn('Read')] })],
    [
      'a statement less',
      session({ policy: policy(read, write) }),
      session({ policy: policy(read) }),
    ],
    ['a deny more', session({ policy: policy(read) }), session({ policy: policy(read, forbid) })],
    ['an earlier end', allow(), conditions({ expiresAt: '2026-02-01T00:00:00Z' })],
    [
      'smaller blocks',
      conditions({ sourceCidrs: ['10.0.0.0/8', '2001:db8::/32'] }),
      conditions({ sourceCidrs: ['10.1.0.0/16', '2001:db8:1::/48'] }),
    ],
    ['one more scope', conditions({ scopes: ['a'] }), conditions({ scopes: ['a', 'b'] })],
    [
      'fewer values of a claim',
      conditions({ claims: { team: ['a', 'b'] } }),
      conditions({ claims: { team: ['a'], role: ['x'] } }),
    ],
    ['a deny of every role', deny(), deny({ role: '*' })],
    ['a deny of everybody', deny(), deny({ principal: { pool: '*', any: true } })],
    ['a deny without conditions', denying({ caller: 'machine' }), deny()],
    [
      'a deny of more values',
      denying({ claims: { team: ['a'] } }),
      denying({ claims: { team: ['a', 'b'] } }),
    ],
  ])('%s', (_what, before, after) => {
    expect(narrows(before, after)).toBe(true);
  });

  it.each<[string, RoleMapping | undefined, RoleMapping | undefined]>([
    ['an allow comes', undefined, allow()],
    ['an allow is switched on', allow({ enabled: false }), allow()],
    ['a deny goes', deny(), undefined],
    ['a deny is switched off', deny(), deny({ enabled: false })],
    ['a deny becomes an allow', deny(), allow()],
    ['a deny of another role', deny({ role: '*' }), deny()],
    ['a deny of somebody else', deny(), deny({ principal: user })],
    [
      'a deny of one pool',
      deny({ principal: { pool: '*', any: true } }),
      deny({ principal: { pool: domainPool, any: true } }),
    ],
    ['a deny on a condition', deny(), denying({ caller: 'machine' })],
    [
      'a deny that lists another type, which it had denied as incomparable',
      denying({ claims: { team: ['a'] } }),
      denying({ claims: { team: ['a', true] } }),
    ],
    ['somebody else', allow(), allow({ principal: user })],
    ['another role', allow(), allow({ role: roleArn('two') })],
    [
      'the same role by another path',
      allow(),
      allow({ role: 'arn:aws:iam::123456789012:role/one' }),
    ],
    ['another precedence', allow(), allow({ precedence: 1 })],
    ['a longer session', session({}), session({ maxDurationSeconds: 7200 })],
    ['another session name', session({}), session({ name: '{client}' })],
    ['a policy less', session({ policy: policy(read) }), session({})],
    ['another statement', session({ policy: policy(read) }), session({ policy: policy(write) })],
    [
      'a deny of a policy less',
      session({ policy: policy(read, forbid) }),
      session({ policy: policy(read) }),
    ],
    [
      'a statement less whose claim not everybody has',
      session({ policy: policy(read, ofClaim) }),
      session({ policy: policy(read) }),
    ],
    [
      'a managed policy beside the one that is there',
      session({ policy: policy(read) }),
      session({ policy: policy(read), policyArns: [arn('Read')] }),
    ],
    [
      'a managed policy less, which may deny something',
      session({ policyArns: [arn('Read'), arn('Guard')] }),
      session({ policyArns: [arn('Read')] }),
    ],
    ['a tag', session({ tags: { team: 'a' } }), session({ tags: { team: 'b' } })],
    ['a tag less, whose absence may mean something', session({ tags: { team: 'a' } }), session({})],
    ['the identity of the broker', session({}), session({ identity: 'broker' })],
    ['another source identity', session({}), session({ sourceIdentity: claimRef('sub') })],
    ['policies of callers', session({}), session({ callerPolicy: true })],
    [
      'a later end',
      conditions({ expiresAt: '2026-02-01T00:00:00Z' }),
      conditions({ expiresAt: '2026-02-01T00:00:01Z' }),
    ],
    [
      'an earlier beginning',
      conditions({ notBefore: '2026-02-01T00:00:00Z' }),
      conditions({ notBefore: '2026-01-01T00:00:00Z' }),
    ],
    [
      'another block',
      conditions({ sourceCidrs: ['10.0.0.0/8'] }),
      conditions({ sourceCidrs: ['10.0.0.0/8', '192.0.2.0/24'] }),
    ],
    [
      'a larger block',
      conditions({ sourceCidrs: ['10.1.0.0/16'] }),
      conditions({ sourceCidrs: ['10.0.0.0/8'] }),
    ],
    [
      'a block of another family',
      conditions({ sourceCidrs: ['0.0.0.0/0'] }),
      conditions({ sourceCidrs: ['::/0'] }),
    ],
    ['a scope less', conditions({ scopes: ['a', 'b'] }), conditions({ scopes: ['b'] })],
    ['a claim less', conditions({ claims: { team: ['a'] } }), conditions({ claims: {} })],
  ])('not: %s (T205)', (_what, before, after) => {
    expect(narrows(before, after)).toBe(false);
  });

  describe('with others around it (T206)', () => {
    const narrow = allow({ principal: user, session: { policy: policy(read) } });
    const behind = (fields: Partial<RoleMappingInput> = {}) =>
      mapping('two', { principal: group, role: roleArn('one'), ...fields });

    it.each([
      ['gives more', behind()],
      [
        'is of the same role by another path',
        behind({ role: 'arn:aws:iam::123456789012:role/one', session: narrow.session }),
      ],
      [
        'gives a longer session',
        behind({ session: { ...narrow.session, maxDurationSeconds: 7200 } }),
      ],
    ])('not: an allow goes, and one behind it %s', (_what, other) => {
      expect(narrows(narrow, undefined, other)).toBe(false);
      expect(narrows(narrow, allow({ ...narrow, conditions: { caller: 'person' } }), other)).toBe(
        false,
      );
      expect(narrows(narrow, deny({ principal: { pool: otherPool, any: true } }), other)).toBe(
        false,
      );
    });

    it.each([
      ['gives no more', behind({ session: { policy: policy(read) } })],
      ['is switched off', behind({ enabled: false })],
      ['is of another role', behind({ role: roleArn('two') })],
      ['is of another pool', behind({ principal: { pool: otherPool, group: 'team' } })],
      ['is of another user', behind({ principal: { pool: domainPool, user: 'bob' } })],
      ['went before it anyway', behind({ principal: user, precedence: 1 })],
      ['denies', behind({ effect: 'deny' })],
    ])('an allow goes, and another one %s', (_what, other) => {
      expect(narrows(narrow, undefined, other)).toBe(true);
    });

    it('not: an allow goes whose sessions are called by it', () => {
      const named = allow({ principal: user, session: { name: '{sub}-{mapping}' } });
      const other = behind({ session: { name: '{sub}-{mapping}' } });
      expect(narrows(named, undefined, other)).toBe(false);
    });

    it('not: an allow goes, and what is around it is not known', () => {
      expect(atOnce(isNarrowing({ before: narrow, after: undefined }, undefined))).toBe(false);
      expect(atOnce(isNarrowing({ before: narrow, after: narrow }, undefined))).toBe(true);
    });
  });
});

describe('edits that wait for approval', () => {
  const rule = { ...noApproval, when: 'widens' } as const;
  const nothing = snapshotOf([]);
  const needs = (
    before: RoleMapping | undefined | 'unreadable',
    after: RoleMapping | undefined,
    changes: Partial<typeof rule | typeof noApproval> = {},
  ) => atOnce(needsApproval({ before, after }, { ...rule, ...changes }, nothing));
  const frozen = roleMappingSchema.parse(freezeMapping({ principal: client, role: '*' }, 'INC-1'));

  it('are none where configuration asks for none', () => {
    expect(atOnce(needsApproval({ before: undefined, after: allow() }, noApproval, nothing))).toBe(
      false,
    );
  });

  it('are those that widen', () => {
    expect(needs(undefined, allow())).toBe(true);
    expect(needs(allow(), undefined)).toBe(false);
  });

  it('are also those that narrow, but for what only takes away, where all shall', () => {
    expect(needs(allow(), allow({ enabled: false }), { when: 'always' })).toBe(true);
    expect(needs(allow(), undefined, { when: 'always' })).toBe(false);
    expect(needs(deny(), undefined, { when: 'always' })).toBe(true);
  });

  it('are never freezes, and always the end of one (T207)', () => {
    for (const when of ['widens', 'always'] as const) {
      expect(needs(undefined, frozen, { when })).toBe(false);
      expect(needs('unreadable', frozen, { when })).toBe(false);
      expect(needs(frozen, undefined, { when })).toBe(true);
    }
  });

  it('are those of a row that cannot be read, whatever comes in its place', () => {
    expect(needs('unreadable', undefined)).toBe(true);
    expect(needs('unreadable', deny())).toBe(true);
  });

  it('are those of the listed roles, before or after, in any case of letters', () => {
    const roles = ['One*'];
    expect(needs(undefined, allow(), { roles })).toBe(true);
    expect(needs(undefined, allow({ role: roleArn('two') }), { roles })).toBe(false);
    expect(needs(allow(), allow({ role: roleArn('two') }), { roles })).toBe(true);
    expect(needs(deny({ role: '*' }), undefined, { roles })).toBe(true);
  });
});

/** Few of everything, so that rows, callers and requests meet often. */
const names = fc.constantFrom('a', 'b');
const pools = fc.constantFrom(domainPool, domainPool, otherPool);
const optional = <T>(arb: fc.Arbitrary<T>) => fc.option(arb, { freq: 1, nil: undefined });
const listed = fc.constantFrom<ClaimScalar>('a', 'b', true);
const named: fc.Arbitrary<Principal> = fc.oneof(
  fc.record({ pool: pools, client: names }),
  fc.record({ pool: pools, user: names }),
  fc.record({ pool: pools, group: names }),
);
const principals = {
  allow: named,
  deny: fc.oneof(
    named,
    fc.record({ pool: fc.constantFrom(domainPool, '*'), any: fc.constant(true as const) }),
  ),
};
const instants = fc.integer({ min: 0, max: 3 }).map((second) => `2026-01-15T12:00:0${second}Z`);
const statements = fc.record({
  Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
  Action: fc.constantFrom('s3:one', 's3:two', '*'),
  Resource: fc.constantFrom('*', claimRef('sub'), claimRef('team')),
});
const parts = {
  principal: (effect: 'allow' | 'deny') => principals[effect],
  role: (effect: 'allow' | 'deny') =>
    fc.constantFrom(
      roleArn('one'),
      roleArn('One'),
      roleArn('two'),
      ...(effect === 'deny' ? ['*'] : []),
    ),
  precedence: () => fc.integer({ min: 0, max: 1 }),
  enabled: () => fc.constantFrom(true, true, true, false),
  conditions: (effect: 'allow' | 'deny') =>
    fc.record({
      ...(effect === 'deny' ? {} : { scopes: optional(fc.uniqueArray(names, { minLength: 1 })) }),
      claims: optional(fc.record({ team: fc.uniqueArray(listed, { minLength: 1 }) })),
      caller: optional(fc.constantFrom('machine' as const, 'person' as const)),
      sourceCidrs: optional(
        fc.constantFrom(['10.0.0.0/8'], ['10.1.0.0/16', '2001:db8::/32'], ['::/0']),
      ),
      notBefore: optional(instants),
      expiresAt: optional(instants),
    }),
  session: (effect: 'allow' | 'deny') =>
    effect === 'deny'
      ? fc.constant({})
      : fc.record({
          maxDurationSeconds: fc.constantFrom(3600, 7200),
          name: fc.constantFrom('{sub}', '{sub}', '{sub}-{mapping}'),
          policy: optional(
            fc
              .uniqueArray(statements, { minLength: 1, maxLength: 3 })
              .map((list) => policy(...list)),
          ),
          policyArns: fc.uniqueArray(fc.constantFrom(arn('One'), arn('Two')), { maxLength: 2 }),
          tags: optional(fc.record({ team: fc.constantFrom('a', claimRef('team')) })),
          callerPolicy: optional(fc.boolean()),
        }),
} as const;

type Fields = Partial<Record<keyof typeof parts | 'effect', unknown>>;

function build(id: string, fields: Fields): RoleMapping {
  const bare = JSON.parse(JSON.stringify(fields)) as Partial<RoleMappingInput>;
  return mapping(id, bare);
}

const whole = fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const).chain((effect) =>
  fc.record({
    effect: fc.constant(effect),
    ...(Object.fromEntries(
      Object.entries(parts).map(([name, arbitrary]) => [name, arbitrary(effect)]),
    ) as Record<keyof typeof parts, fc.Arbitrary<unknown>>),
  }),
);

/** Documents that have next to nothing in common are seldom a narrowing: most pairs share all but a member or two. */
const pairs = fc
  .record({
    from: optional(whole),
    to: optional(whole),
    changed: fc.oneof(
      { weight: 5, arbitrary: fc.subarray(Object.keys(parts), { maxLength: 2 }) },
      { weight: 1, arbitrary: fc.constant(undefined) },
    ),
  })
  .map(({ from, to, changed }) => {
    const mixed =
      from === undefined || to === undefined || changed === undefined || from.effect !== to.effect
        ? to
        : {
            ...from,
            ...Object.fromEntries(changed.map((name) => [name, to[name as keyof typeof parts]])),
          };
    return { before: from && build('this', from), after: mixed && build('this', mixed) };
  });

const others = fc
  .array(whole, { maxLength: 4 })
  .map((list) => list.map((fields, index) => build(`other-${index}`, fields)));

const callers: fc.Arbitrary<Caller> = fc
  .record({
    pool: pools,
    subject: names,
    clientId: optional(names),
    groups: fc.uniqueArray(names),
    scopes: fc.uniqueArray(names),
    team: optional(fc.oneof(listed, fc.constantFrom<unknown>(1, ['a', 'b'], { a: 1 }, '*'))),
    machine: fc.boolean(),
  })
  .map(({ scopes, team, machine, ...rest }) => {
    const claims: Record<string, ClaimValue> = team === undefined ? {} : { team: claimValue(team) };
    const make = machine ? machineCaller : caller;
    return make({ ...rest, scopes: new Set(scopes), claims });
  });

const questions = fc.record({
  by: callers,
  sourceIp: fc.constantFrom('10.1.2.3', '10.2.2.3', '2001:db8::7', '192.0.2.7', ''),
  now: fc.integer({ min: -1, max: 4001 }).map((ms) => Date.parse('2026-01-15T12:00:00Z') + ms),
  durationSeconds: fc.constantFrom(undefined, 900, 3600, 7200),
  role: fc.constantFrom('this', 'other-0', 'other-1', roleArn('one'), roleArn('two'), undefined),
});

/** What a managed policy may say is not known here: each of these is one thing that it might. */
const managedPolicies = [() => true, () => false, (name: string) => name === arn('One')] as const;

/** Whether IAM would let the session do this, said in the plainest way. */
function lets(
  { policy: text, policyArns }: SessionPlan,
  asked: { readonly action: string; readonly resource: string },
  managed: (name: string) => boolean,
): boolean {
  if (text === undefined && policyArns.length === 0) return true;
  const inline = text === undefined ? [] : (JSON.parse(text).Statement as (typeof read)[]);
  const matching = inline.filter(
    ({ Action, Resource }) =>
      [asked.action, '*'].includes(Action) && [asked.resource, '*'].includes(Resource),
  );
  if (matching.some(({ Effect }) => Effect === 'Deny')) return false;
  return matching.length > 0 || policyArns.some(managed);
}

const deeds = ['s3:one', 's3:two', 's3:three'].flatMap((action) =>
  ['a', 'b', 'else'].map((resource) => ({ action, resource })),
);

function expectNoMore(had: SessionPlan, has: SessionPlan): void {
  expect(has.durationSeconds).toBeLessThanOrEqual(had.durationSeconds);
  const marks = ({ roleArn: role, sessionName, identity, attribution }: SessionPlan) => ({
    role,
    sessionName,
    identity,
    attribution,
  });
  expect(marks(has)).toEqual(marks(had));
  for (const managed of managedPolicies) {
    for (const deed of deeds) {
      if (lets(has, deed, managed)) expect(lets(had, deed, managed)).toBe(true);
    }
  }
}

type Question = typeof questions extends fc.Arbitrary<infer T> ? T : never;

/** Whether something is granted afterwards; nothing of it may be new. */
function expectNothingNew(
  before: PolicySnapshot,
  after: PolicySnapshot,
  { by, now, ...request }: Question,
): boolean {
  const has = decide(after, by, request, now);
  if (has.kind !== 'allow') return false;
  const { roleArn: role, durationSeconds } = has.session;
  const had = decide(before, by, { ...request, role, durationSeconds }, now);
  if (had.kind !== 'allow') throw new Error(`${role} is new: ${had.kind}`);
  expectNoMore(had.session, has.session);
  if (has.mapping.mapping.session.callerPolicy === true) {
    expect(had.mapping.mapping.session.callerPolicy).toBe(true);
  }
  return true;
}

describe('properties of narrowing', () => {
  it('whatever is called narrowing gives nobody anything new (T205, T206)', () => {
    let granted = 0;
    const many = fc.array(questions, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(pairs, others, many, (pair, rest, asked) => {
        if (!narrows(pair.before, pair.after, ...rest)) return;
        const before = snapshotOf([pair.before, ...rest]);
        const after = snapshotOf([pair.after, ...rest]);
        granted += asked.filter((one) => expectNothingNew(before, after, one)).length;
      }),
      runs(5_000),
    );
    expect(granted).toBeGreaterThan(seenMoreThan(100));
  });
});
