import { describe, expect, it } from '@jest/globals';
import { claimValue } from '../../../src/core/claim-value.ts';
import { type Decision, decide } from '../../../src/core/policy/decide.ts';
import type { RoleMapping, RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import {
  type Asking,
  ask,
  caller,
  claimRef,
  domainNow,
  domainPool,
  machineCaller,
  mapping,
  otherPool,
  roleArn,
  snapshotOf,
  verdictOf,
} from '../../support/domain.ts';
import { portion } from '../../support/fuzz-budget.ts';

const user = { pool: domainPool, user: caller().subject };
const client = { pool: domainPool, client: '4abc0exampleclientid' };
const group = { pool: domainPool, group: 'billing' };
const member = caller({ groups: ['billing'] });
const role = roleArn('shared');

const verdict = (asking: Asking) => verdictOf(ask(asking));
const withConditions = (conditions: RoleMappingInput['conditions']) => [
  mapping('a', { conditions }),
];

describe('what nobody allows (T18, T20, T27)', () => {
  it.each<[string, readonly RoleMapping[], string | undefined]>([
    ['an empty policy', [], undefined],
    ['an empty policy, naming a role', [], role],
    [
      'an allow for another app client',
      [mapping('a', { principal: { ...client, client: 'x' } })],
      'a',
    ],
    [
      'an allow for the same client id in another pool',
      [mapping('a', { principal: { ...client, pool: otherPool } })],
      'a',
    ],
    ['an allow for a group the caller is not in', [mapping('a', { principal: group })], 'a'],
    ['an allow for another user', [mapping('a', { principal: { ...user, user: 'x' } })], 'a'],
    ['a mapping id that does not exist', [mapping('a')], 'b'],
    ['a role ARN that no mapping has', [mapping('a')], roleArn('b')],
    [
      'the mapped role ARN in another account',
      [mapping('a')],
      'arn:aws:iam::210987654321:role/broker/a',
    ],
    ['the mapping id in other letters', [mapping('a')], 'A'],
    [
      'the name of the role without its ARN',
      [mapping('orders', { role: roleArn('writer') })],
      'writer',
    ],
    ['an empty name', [mapping('a')], ''],
    ['the wildcard', [mapping('a')], '*'],
    ['a disabled allow', [mapping('a', { enabled: false })], 'a'],
    ['the id of a deny', [mapping('a', { effect: 'deny' })], 'a'],
  ])('is denied: %s', (_case, policy, named) => {
    expect(verdict({ policy, role: named })).toBe('deny no_mapping');
  });

  it.each(['*', 'order?', 'ord*', '.*', '^orders$', 'orders|x', '[a-z]+', 'ORDERS', '{sub}'])(
    'takes no text for a pattern: %j (T19)',
    (text) => {
      const by = caller({
        subject: 'orders',
        clientId: 'orders',
        groups: ['orders'],
        claims: { team: 'orders' },
      });
      for (const kind of ['client', 'user', 'group']) {
        const principal = { pool: domainPool, [kind]: text } as RoleMapping['principal'];
        expect(verdict({ by, policy: [mapping('a', { principal })] })).toBe('deny no_mapping');
      }
      const principal = { pool: domainPool, client: 'orders' };
      const policy = [mapping('a', { principal, conditions: { claims: { team: [text] } } })];
      expect(verdict({ by, policy })).toBe('deny claim_mismatch a');
    },
  );

  it('does not take the sub of a machine for a user of that name', () => {
    const by = machineCaller();
    const policy = [mapping('a', { principal: { pool: domainPool, user: by.subject } })];
    expect(verdict({ policy, by })).toBe('deny no_mapping');
  });

  it('does not let a caller without an app client match one by its identity', () => {
    const subject = 'us-east-1:0a1b2c3d-1111-4222-8333-944445555666';
    const by = caller({ clientId: undefined, subject, tokenUse: 'openid' });
    const policy = [mapping('a', { principal: { pool: domainPool, client: subject } })];
    expect(verdict({ policy, by })).toBe('deny no_mapping');
  });

  it('keeps kinds of principals apart that have the same name', () => {
    const name = 'admins';
    const by = caller({ subject: name, clientId: 'other' });
    expect(
      verdict({ by, policy: [mapping('a', { principal: { pool: domainPool, group: name } })] }),
    ).toBe('deny no_mapping');
    expect(
      verdict({ by, policy: [mapping('a', { principal: { pool: domainPool, client: name } })] }),
    ).toBe('deny no_mapping');
    expect(
      verdict({ by, policy: [mapping('a', { principal: { pool: domainPool, user: name } })] }),
    ).toBe('allow a');
  });
});

describe('an explicit deny (T25)', () => {
  const allow = mapping('allow', { principal: user, role, precedence: 0 });
  const deny = (fields: Partial<RoleMappingInput> = {}) =>
    mapping('deny', { effect: 'deny', principal: client, role, precedence: 1000, ...fields });

  it.each<[string, RoleMapping]>([
    ['for the app client', deny()],
    ['for a group', deny({ principal: group })],
    ['for the user', deny({ principal: user })],
    ['for anyone in the pool', deny({ principal: { pool: domainPool, any: true } })],
    ['for anyone in any pool', deny({ principal: { pool: '*', any: true } })],
    ['of every role', deny({ role: '*' })],
    ['of everything', deny({ role: '*', principal: { pool: '*', any: true } })],
    ['whose conditions hold', deny({ conditions: { sourceCidrs: ['192.0.2.0/24'] } })],
  ])('wins over a more specific allow, %s', (_case, denying) => {
    for (const policy of [
      [allow, denying],
      [denying, allow],
    ]) {
      for (const named of [undefined, 'allow', role]) {
        expect(verdict({ policy, by: member, role: named })).toBe('deny explicit_deny deny');
      }
    }
  });

  it.each<[string, RoleMapping]>([
    ['another role', deny({ role: roleArn('other') })],
    ['another app client', deny({ principal: { ...client, client: 'x' } })],
    ['another group', deny({ principal: { ...group, group: 'x' } })],
    ['another pool', deny({ principal: { pool: otherPool, any: true } })],
    ['nobody, being disabled', deny({ enabled: false })],
    ['another network', deny({ conditions: { sourceCidrs: ['198.51.100.0/24'] } })],
    ['a scope the token lacks', deny({ conditions: { scopes: ['orders/write'] } })],
    ['the past', deny({ conditions: { expiresAt: '2026-01-15T12:00:00Z' } })],
    ['the future', deny({ conditions: { notBefore: '2026-01-15T12:00:01Z' } })],
  ])('leaves the caller alone when it is for %s', (_case, denying) => {
    expect(verdict({ policy: [allow, denying], by: member })).toBe('allow allow');
  });

  it.each([
    'arn:aws:iam::123456789012:role/broker/SHARED',
    'arn:aws:iam::123456789012:role/broker/Shared',
    'arn:aws:iam::123456789012:role/Broker/shared',
    'arn:aws:iam::123456789012:role/shared',
  ])('of %s is of the role that IAM takes it for (T63)', (spelling) => {
    for (const [allowed, denied] of [
      [role, spelling],
      [spelling, role],
    ] as const) {
      const policy = [mapping('allow', { role: allowed }), deny({ role: denied })];
      for (const named of [undefined, 'allow', allowed, denied]) {
        expect(verdict({ policy, role: named })).toBe('deny explicit_deny deny');
      }
    }
  });

  it.each([
    'arn:aws:iam::210987654321:role/broker/shared',
    'arn:aws-cn:iam::123456789012:role/broker/shared',
    'arn:aws:iam::123456789012:role/broker/shared2',
  ])('of %s leaves the other role alone (T63)', (other) => {
    expect(verdict({ policy: [allow, deny({ role: other })], by: member })).toBe('allow allow');
  });

  it.each<[unknown]>([
    [true],
    [false],
    [9],
    [1.5],
    [2 ** 53],
    [null],
    [{}],
    [{ 0: 'x' }],
    [['x', 1]],
    [[null]],
    [[['x']]],
    [['x', {}]],
  ])('on a claim is not slipped past with a value that cannot be compared, as %j (T60)', (json) => {
    const by = caller({ claims: { suspended: claimValue(json) } });
    const denying = deny({ conditions: { claims: { suspended: ['true', 'yes'] } } });
    expect(verdict({ policy: [allow, denying], by })).toBe('deny explicit_deny deny');
    const allowing = mapping('allow', { conditions: { claims: { suspended: ['true', 'x'] } } });
    expect(verdict({ policy: [allowing], by })).toBe('deny claim_mismatch allow');
  });

  it('of one role leaves the other roles', () => {
    const other = mapping('other');
    expect(verdict({ policy: [allow, other, deny()], by: member, role: 'other' })).toBe(
      'allow other',
    );
    expect(verdict({ policy: [allow, other, deny()], by: member, role: 'allow' })).toBe(
      'deny explicit_deny deny',
    );
  });

  it('by address is not slipped past with an address that cannot be read', () => {
    const policy = [allow, deny({ conditions: { sourceCidrs: ['198.51.100.0/24'] } })];
    for (const sourceIp of ['', 'unknown', '198.51.100.1:443', '198.51.100.01']) {
      expect(verdict({ policy, by: member, sourceIp })).toBe('deny explicit_deny deny');
    }
  });
});

describe('of several allows for one role', () => {
  const byUser = mapping('z-user', { principal: user, role, precedence: 1000 });
  const byClient = mapping('y-client', { principal: client, role, precedence: 500 });
  const byGroup = mapping('x-group', { principal: group, role, precedence: 0 });

  it.each<[string, readonly RoleMapping[], string]>([
    ['the user before app client and group', [byGroup, byClient, byUser], 'z-user'],
    ['the app client before the group', [byGroup, byClient], 'y-client'],
    [
      'the lower precedence among equals',
      [mapping('a', { role, precedence: 101 }), mapping('b', { role })],
      'b',
    ],
    [
      'the lower id among equals in everything',
      [mapping('b', { role }), mapping('a', { role })],
      'a',
    ],
    [
      'the only one whose conditions hold',
      [
        mapping('a', { role, precedence: 0, conditions: { scopes: ['x'] } }),
        mapping('b', { role }),
      ],
      'b',
    ],
    [
      'the only enabled one',
      [mapping('a', { role, precedence: 0, enabled: false }), mapping('b', { role })],
      'b',
    ],
  ])('counts %s', (_case, policy, winner) => {
    for (const rows of [policy, policy.toReversed()]) {
      for (const named of [undefined, role]) {
        expect(verdict({ policy: rows, by: member, role: named })).toBe(`allow ${winner}`);
      }
    }
  });

  it('who names a less specific one by its id gets the most specific one all the same (T62)', () => {
    const policy = [byUser, byClient, byGroup];
    for (const named of ['x-group', 'y-client', 'z-user', role, roleArn('SHARED')]) {
      expect(verdict({ policy, by: member, role: named })).toBe('allow z-user');
    }
  });

  it('an id stands for the role only for whom its mapping permits it (T62)', () => {
    const elsewhere = mapping('elsewhere', {
      principal: user,
      role,
      conditions: { sourceCidrs: ['198.51.100.0/24'] },
    });
    const ofOthers = mapping('of-others', { principal: { ...client, client: 'x' }, role });
    const off = mapping('off', { principal: user, role, enabled: false });
    const policy = [byGroup, elsewhere, ofOthers, off];
    expect(verdict({ policy, by: member, role })).toBe('allow x-group');
    expect(verdict({ policy, by: member, role: 'elsewhere' })).toBe(
      'deny source_outside elsewhere',
    );
    expect(verdict({ policy, by: member, role: 'of-others' })).toBe('deny no_mapping');
    expect(verdict({ policy, by: member, role: 'off' })).toBe('deny no_mapping');
  });
});

describe('a caller who names nothing (T20)', () => {
  it('gets the only role that is allowed', () => {
    expect(verdict({ policy: [mapping('a'), mapping('b', { principal: group })] })).toBe('allow a');
  });

  it('is told to choose, in an order that does not depend on the rows', () => {
    const policy = [mapping('c'), mapping('a'), mapping('b')];
    expect(verdict({ policy })).toBe('ambiguous a b c');
    expect(verdict({ policy: policy.toReversed() })).toBe('ambiguous a b c');
  });

  it('is offered each role once, under its strongest mapping', () => {
    const policy = [
      mapping('weak', { principal: group, role }),
      mapping('strong', { principal: user, role }),
      mapping('other'),
    ];
    expect(verdict({ policy, by: member })).toBe('ambiguous other strong');
  });

  it('is not offered what is denied or conditioned away', () => {
    const policy = [
      mapping('a'),
      mapping('b'),
      mapping('c', { conditions: { scopes: ['x'] } }),
      mapping('no-b', { effect: 'deny', role: roleArn('b') }),
    ];
    expect(verdict({ policy })).toBe('allow a');
  });
});

describe('conditions', () => {
  const scoped = (...scopes: string[]) => caller({ scopes: new Set(scopes) });

  it.each([
    [['r', 'w'], 'allow a'],
    [['w', 'r', 'x'], 'allow a'],
    [['r'], 'deny scope_missing a'],
    [[], 'deny scope_missing a'],
    [['R', 'W'], 'deny scope_missing a'],
    [['rw'], 'deny scope_missing a'],
  ])('scopes need all of them: a token with %j', (scopes, expected) => {
    expect(verdict({ policy: withConditions({ scopes: ['r', 'w'] }), by: scoped(...scopes) })).toBe(
      expected,
    );
  });

  it.each<[unknown, string]>([
    ['orders', 'allow a'],
    ['payments', 'allow a'],
    [['hr', 'orders'], 'allow a'],
    [['hr', 'it'], 'deny claim_mismatch a'],
    [[], 'deny claim_mismatch a'],
    ['Orders', 'deny claim_mismatch a'],
    ['orders ', 'deny claim_mismatch a'],
    ['orders,payments', 'deny claim_mismatch a'],
    ['', 'deny claim_mismatch a'],
    [undefined, 'deny claim_mismatch a'],
  ])('claims need one of the listed values: a claim of %j', (value, expected) => {
    const policy = withConditions({ claims: { team: ['orders', 'payments'] } });
    const by = caller(value === undefined ? {} : { claims: { team: value as string } });
    expect(verdict({ policy, by })).toBe(expected);
  });

  it.each<[unknown, string]>([
    [true, 'allow a'],
    [7, 'allow a'],
    [[7, true], 'allow a'],
    [[false, 8, 7], 'allow a'],
    [false, 'deny claim_mismatch a'],
    [8, 'deny claim_mismatch a'],
    ['true', 'deny claim_mismatch a'],
    ['7', 'deny claim_mismatch a'],
    [[7, '7'], 'deny claim_mismatch a'],
    [7.5, 'deny claim_mismatch a'],
    [[true, null], 'deny claim_mismatch a'],
  ])('claims that are no text are compared by type and value: %j', (json, expected) => {
    const policy = withConditions({ claims: { level: [true, 7] } });
    expect(verdict({ policy, by: caller({ claims: { level: claimValue(json) } }) })).toBe(expected);
  });

  it('claims need every listed claim', () => {
    const policy = withConditions({ claims: { team: ['orders'], site: ['east'] } });
    expect(verdict({ policy, by: caller({ claims: { team: 'orders', site: 'east' } }) })).toBe(
      'allow a',
    );
    expect(verdict({ policy, by: caller({ claims: { team: 'orders' } }) })).toBe(
      'deny claim_mismatch a',
    );
  });

  it.each<['machine' | 'person', 'allow' | 'deny', string, string]>([
    ['machine', 'allow', 'allow a', 'deny caller_kind a'],
    ['person', 'allow', 'deny caller_kind a', 'allow a'],
    ['machine', 'deny', 'deny explicit_deny no', 'allow a'],
    ['person', 'deny', 'allow a', 'deny explicit_deny no'],
  ])(
    'caller: %s tells the app client from who signs in through it, in an %s (T64)',
    (kind, effect, ofMachine, ofPerson) => {
      const conditions = { caller: kind };
      const policy =
        effect === 'allow'
          ? withConditions(conditions)
          : [mapping('a'), mapping('no', { effect, role: '*', conditions })];
      expect(verdict({ policy, by: machineCaller() })).toBe(ofMachine);
      expect(verdict({ policy, by: caller() })).toBe(ofPerson);
      const ofIdentityPool = caller({ tokenUse: 'openid', machine: false });
      expect(verdict({ policy, by: ofIdentityPool })).toBe(ofPerson);
    },
  );

  it.each([
    [['10.0.0.0/8'], '10.255.255.255', true],
    [['10.0.0.0/8'], '11.0.0.0', false],
    [['10.1.2.3/32'], '10.1.2.3', true],
    [['10.1.2.3/32'], '10.1.2.4', false],
    [['192.0.2.0/24', '10.0.0.0/8'], '10.0.0.1', true],
    [['10.0.0.0/8'], '::ffff:10.0.0.1', true],
    [['10.0.0.0/8'], '::a00:1', false],
    [['2001:db8::/32'], '2001:db8:ffff::1', true],
    [['2001:db8::/32'], '2001:db9::1', false],
    [['2001:db8::/32'], '2001:0DB8:0000:0000:0000:0000:0000:0001', true],
    [['fe80::/10'], 'fe80::1%eth0', true],
    [['2001:db8::/32'], '10.0.0.1', false],
    [['0.0.0.0/0'], '2001:db8::1', false],
    [['10.0.0.0/8'], '', false],
    [['10.0.0.0/8'], 'localhost', false],
    [['10.0.0.0/8'], '10.0.0.1:8080', false],
  ])('sourceCidrs %j take %s: %s (T16)', (sourceCidrs, sourceIp, inside) => {
    const expected = inside ? 'allow a' : 'deny source_outside a';
    expect(verdict({ policy: withConditions({ sourceCidrs }), sourceIp })).toBe(expected);
  });

  it.each([
    [-1, 'deny not_yet_valid a'],
    [0, 'allow a'],
    [1, 'allow a'],
    [59_999, 'allow a'],
    [60_000, 'deny mapping_expired a'],
    [60_001, 'deny mapping_expired a'],
  ])('times hold to the millisecond: %d ms after notBefore', (afterMs, expected) => {
    const policy = withConditions({
      notBefore: '2026-01-15T12:00:00Z',
      expiresAt: '2026-01-15T12:01:00Z',
    });
    expect(verdict({ policy, now: domainNow + afterMs })).toBe(expected);
  });

  it.each<[string, Partial<RoleMappingInput>, Partial<RoleMappingInput>]>([
    ['the more specific principal', { principal: user }, { principal: group }],
    ['the lower precedence', { precedence: 99 }, {}],
  ])('a near miss is told of the mapping with %s', (_case, first, second) => {
    const policy = [
      mapping('nearest', { role, conditions: { scopes: ['x'] }, ...first }),
      mapping('a', { role, conditions: { claims: { team: ['x'] } }, ...second }),
    ];
    for (const rows of [policy, policy.toReversed()]) {
      expect(verdict({ policy: rows, by: member, role })).toBe('deny scope_missing nearest');
    }
  });
});

describe('the duration', () => {
  const policy = [mapping('a', { session: { durationSeconds: 1210, maxDurationSeconds: 7210 } })];
  const durationOf = (decision: Decision) =>
    decision.kind === 'allow' ? decision.session.durationSeconds : decision.kind;

  it.each([
    [undefined, 1210],
    [900, 900],
    [7200, 7200],
    [7210, 7200],
    [899, 'duration_not_allowed'],
    [7211, 'duration_not_allowed'],
    [0, 'duration_not_allowed'],
    [-3600, 'duration_not_allowed'],
    [1000.5, 'duration_not_allowed'],
    [Number.NaN, 'duration_not_allowed'],
    [Number.POSITIVE_INFINITY, 'duration_not_allowed'],
  ])('asked for as %p gives %p', (durationSeconds, expected) => {
    expect(durationOf(ask({ policy, durationSeconds }))).toBe(expected);
  });

  it('T67: comes in steps of a minute, so that few sessions can be told apart by it', () => {
    const granted = new Set<unknown>();
    const step = Math.ceil(6310 / portion(6310));
    for (let asked = 900; asked <= 7210; asked += step) {
      const duration = Number(durationOf(ask({ policy, durationSeconds: asked })));
      expect(duration).toBeLessThanOrEqual(asked);
      expect(duration).toBeGreaterThan(Math.max(899, asked - 60));
      granted.add(duration);
    }
    expect(granted.size).toBe(106);
  });

  it('tells nobody but a caller who has the role what its limits are', () => {
    expect(verdict({ policy: [], role: 'a', durationSeconds: 1 })).toBe('deny no_mapping');
    const denied = [...policy, mapping('no', { effect: 'deny', role: '*' })];
    expect(verdict({ policy: denied, durationSeconds: 1 })).toBe('deny explicit_deny no');
  });
});

describe('the session', () => {
  const policyOf = (resource: string) => ({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: resource }],
  });

  it('is what the mapping says, with the claims of the caller in it', () => {
    const policyArns = ['arn:aws:iam::aws:policy/ReadOnlyAccess'];
    const session = {
      name: '{mapping}-{client}',
      policy: policyOf(`arn:aws:s3:::invoices/${claimRef('sub')}/*`),
      policyArns,
    };
    const decision = ask({ policy: [mapping('a', { session })] });
    expect(decision).toMatchObject({
      kind: 'allow',
      session: {
        mappingId: 'a',
        mappingVersion: 1,
        roleArn: roleArn('a'),
        sessionName: 'a-4abc0exampleclientid',
        durationSeconds: 3600,
        policy: JSON.stringify(policyOf(`arn:aws:s3:::invoices/${caller().subject}/*`)),
        policyArns,
      },
    });
  });

  it('is denied when a claim in its policy is unsafe or absent (T22)', () => {
    const session = { policy: policyOf(`arn:aws:s3:::invoices/${claimRef('team')}/*`) };
    const policy = [mapping('a', { session })];
    expect(verdict({ policy, by: caller({ claims: { team: '*' } }) })).toBe('deny claim_unsafe a');
    expect(verdict({ policy, by: caller() })).toBe('deny claim_unsafe a');
    expect(verdict({ policy, by: caller({ claims: { team: 'orders' } }) })).toBe('allow a');
  });

  it('of one caller is never given to another', () => {
    const session = { name: '{sub}' };
    const snapshot = snapshotOf(mapping('a', { principal: group, session }));
    const one = caller({ subject: 'user-one', groups: ['billing'] });
    const two = caller({ subject: 'user-two', groups: ['billing'] });
    const request = { role: 'a', durationSeconds: undefined, sourceIp: '192.0.2.7' };
    for (const by of [one, two, one]) {
      expect(decide(snapshot, by, request, domainNow)).toMatchObject({
        session: { caller: by, sessionName: by.subject },
      });
    }
  });
});
