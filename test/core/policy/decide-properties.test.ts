import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Caller } from '../../../src/core/caller.ts';
import { type ClaimScalar, type ClaimValue, claimValue } from '../../../src/core/claim-value.ts';
import type { CompiledMapping } from '../../../src/core/policy/compiled-mapping.ts';
import {
  type Decision,
  decide,
  mayBeKept,
  permittedMappings,
} from '../../../src/core/policy/decide.ts';
import { explaining } from '../../../src/core/policy/explain.ts';
import { permissionsOf } from '../../../src/core/policy/permissions.ts';
import { compileSnapshot } from '../../../src/core/policy/policy-snapshot.ts';
import type { Principal, RoleMapping } from '../../../src/core/policy/role-mapping.ts';
import { atOnce } from '../../../src/kit/timing/in-turns.ts';
import {
  caller,
  domainPool,
  machineCaller,
  mapping,
  otherPool,
  roleArn,
  verdictOf,
} from '../../support/domain.ts';
import { runs } from '../../support/fuzz-budget.ts';

/** Few of everything, so that rows, callers and requests meet often. */
const pools = fc.constantFrom(domainPool, otherPool);
const names = fc.constantFrom('a', 'b');
/** The first three are one role to IAM. */
const roles = fc.constantFrom(
  roleArn('one'),
  roleArn('One'),
  'arn:aws:iam::123456789012:role/ONE',
  roleArn('two'),
  'arn:aws:iam::210987654321:role/broker/one',
);
const isSameRole = (a: string, b: string) => iamIdentity(a) === iamIdentity(b);
const iamIdentity = (arn: string) =>
  `${arn.split(':')[4]} ${arn.slice(arn.lastIndexOf('/')).toLowerCase()}`;
const instants = fc.integer({ min: 0, max: 3 }).map((second) => `2026-01-15T12:00:0${second}Z`);
const addresses = fc.constantFrom('10.1.2.3', '192.0.2.7', '2001:db8::7', '::ffff:10.9.9.9', '');
/** What a mapping may list for a claim, and what a token may say in it. */
const listed = fc.constantFrom<ClaimScalar>('a', 'b', 'true', true, false, 1);
const claimJson = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(listed, fc.uniqueArray(listed)) },
  fc.constantFrom<unknown>(null, 1.5, 2 ** 53, {}, [[]], ['a', null], [{ a: 1 }]),
);
const optional = <T>(arb: fc.Arbitrary<T>) => fc.option(arb, { freq: 1, nil: undefined });

const named: fc.Arbitrary<Principal> = fc.oneof(
  fc.record({ pool: pools, client: names }),
  fc.record({ pool: pools, user: names }),
  fc.record({ pool: pools, group: names }),
);
const anyone: fc.Arbitrary<Principal> = fc.record({
  pool: fc.oneof(pools, fc.constant('*' as const)),
  any: fc.constant(true as const),
});

const conditions = fc
  .record({
    scopes: optional(fc.uniqueArray(names, { minLength: 1 })),
    claims: optional(fc.record({ team: fc.uniqueArray(listed, { minLength: 1 }) })),
    caller: optional(fc.constantFrom('machine' as const, 'person' as const)),
    sourceCidrs: optional(fc.constantFrom(['10.0.0.0/8'], ['10.0.0.0/8', '2001:db8::/32'])),
    notBefore: optional(instants),
    expiresAt: optional(instants),
  })
  .map(withoutUndefined);

function withoutUndefined<T extends object>(value: T) {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));
}

const common = {
  precedence: fc.integer({ min: 0, max: 2 }),
  conditions: fc.oneof(fc.constant({}), conditions),
  enabled: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
};
const allowFields = fc.record({
  ...common,
  effect: fc.constant('allow' as const),
  principal: named,
  role: roles,
});
const denyFields = fc.record({
  ...common,
  effect: fc.constant('deny' as const),
  principal: fc.oneof(named, anyone),
  role: fc.oneof(roles, fc.constant('*')),
});
const rowsOf = (...fields: readonly (typeof allowFields | typeof denyFields)[]) =>
  fc
    .array(fc.oneof(...fields), { maxLength: 12 })
    .map((list) => list.map((one, index) => deepFreeze(mapping(`row-${index}`, one))));
const policies = rowsOf(allowFields, allowFields, denyFields);

const callers: fc.Arbitrary<Caller> = fc
  .record({
    pool: pools,
    subject: names,
    clientId: optional(names),
    groups: fc.uniqueArray(names),
    scopes: fc.uniqueArray(names),
    team: optional(claimJson),
    machine: fc.boolean(),
  })
  .map(({ scopes, team, machine, ...parts }) => {
    const build = machine ? machineCaller : caller;
    const claims: Record<string, ClaimValue> = team === undefined ? {} : { team: claimValue(team) };
    return Object.freeze(build({ ...parts, scopes: new Set(scopes), claims }));
  });

/** One caller, and rows that are all about them and one role. */
const member = caller({ subject: 'a', clientId: 'a', groups: ['a'], scopes: new Set(['a', 'b']) });
const ofMember = fc.constantFrom<Principal>(
  { pool: domainPool, client: 'a' },
  { pool: domainPool, user: 'a' },
  { pool: domainPool, group: 'a' },
);
const crowded = fc
  .array(
    fc.record({
      ...common,
      effect: fc.constant('allow' as const),
      principal: ofMember,
      role: fc.constantFrom(roleArn('one'), roleArn('One')),
    }),
    { minLength: 3, maxLength: 6 },
  )
  .map((list) => list.map((one, index) => deepFreeze(mapping(`row-${index}`, one))));

const requests = fc
  .record({
    role: optional(
      fc.oneof(
        roles,
        fc.integer({ min: 0, max: 12 }).map((n) => `row-${n}`),
      ),
    ),
    durationSeconds: optional(fc.constantFrom(900, 3600, 3601)),
    sourceIp: addresses,
  })
  .map((request) => Object.freeze(request));
const times = fc
  .integer({ min: -1, max: 4001 })
  .map((ms) => Date.parse('2026-01-15T12:00:00Z') + ms);

const cases = fc.record({ rows: policies, by: callers, request: requests, now: times });
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

function decideOn(rows: readonly RoleMapping[], { by, request, now }: Omit<Case, 'rows'>) {
  return decide(snapshot(rows), by, request, now);
}

function principalOf({ pool, clientId, subject, machine }: Caller) {
  return { pool, client: clientId, user: machine ? undefined : subject };
}

function snapshot(rows: readonly RoleMapping[]) {
  return compileSnapshot(
    1,
    rows.map((row) => ({ mapping: row, version: 1 })),
  );
}

function permittedRoles(rows: readonly RoleMapping[], { by, request, now }: Omit<Case, 'rows'>) {
  const permitted = permittedMappings(snapshot(rows), by, request.sourceIp, now);
  return new Set(permitted.map(({ mapping: { role } }) => iamIdentity(role)));
}

/** What the policy means, said again in the plainest way: no index, no compilation, strings for addresses. */
function meansPermitted(row: RoleMapping, rows: readonly RoleMapping[], facts: Omit<Case, 'rows'>) {
  if (row.effect !== 'allow' || !applies(row, facts)) return false;
  return !rows.some(
    (deny) =>
      deny.effect === 'deny' &&
      applies(deny, facts) &&
      (deny.role === '*' || isSameRole(deny.role, row.role)),
  );
}

function applies(row: RoleMapping, { by, request, now }: Omit<Case, 'rows'>): boolean {
  if (!row.enabled || !isPrincipal(row.principal, by)) return false;
  const { scopes = [], claims = {}, sourceCidrs, notBefore, expiresAt } = row.conditions;
  const kind = row.conditions.caller;
  return (
    (kind === undefined || (kind === 'machine') === by.machine) &&
    scopes.every((scope) => by.scopes.has(scope)) &&
    (claims['team'] === undefined || teamHolds(claims['team'], by, row.effect)) &&
    (sourceCidrs === undefined || isWithin(sourceCidrs, request.sourceIp, row.effect)) &&
    (notBefore === undefined || new Date(now) >= new Date(notBefore)) &&
    (expiresAt === undefined || new Date(now) < new Date(expiresAt))
  );
}

function teamHolds(values: readonly unknown[], by: Caller, effect: string): boolean {
  const team = by.claims.get('team');
  if (team === undefined) return false;
  if (typeof team === 'object' && 'incomparable' in team) return effect === 'deny';
  const items: readonly unknown[] = [team].flat();
  const known = items.every((item) => values.some((value) => typeof value === typeof item));
  return known ? items.some((item) => values.includes(item)) : effect === 'deny';
}

function isPrincipal(principal: Principal, by: Caller): boolean {
  if (principal.pool !== by.pool && principal.pool !== '*') return false;
  if ('client' in principal) return principal.client === by.clientId;
  if ('user' in principal) return principal.user === by.subject && !by.machine;
  if ('group' in principal) return by.groups.includes(principal.group);
  return true;
}

function isWithin(cidrs: readonly string[], address: string, effect: string): boolean {
  if (address === '') return effect === 'deny';
  const ipv4 = address.replace('::ffff:', '');
  return cidrs.some((cidr) => ipv4.startsWith(cidr === '10.0.0.0/8' ? '10.' : '2001:db8:'));
}

function meansVerdict({ rows, ...facts }: Case): string {
  const { role, durationSeconds } = facts.request;
  const strength = ({ principal, precedence, id }: RoleMapping) => {
    const kind = ['user', 'client', 'group'].findIndex((name) => name in principal);
    return `${kind} ${String(precedence).padStart(4, '0')} ${id}`;
  };
  const permitted = rows
    .filter((row) => meansPermitted(row, rows, facts))
    .filter((row, _at, all) => {
      if (role === undefined) return true;
      const wanted = role.startsWith('arn:') ? role : all.find(({ id }) => id === role)?.role;
      return wanted !== undefined && isSameRole(wanted, row.role);
    })
    .toSorted((a, b) => (strength(a) < strength(b) ? -1 : 1));
  const strongest = permitted.filter(
    (row, at) => permitted.findIndex((one) => isSameRole(one.role, row.role)) === at,
  );
  const [only] = strongest;
  if (only === undefined) return 'deny';
  if (strongest.length > 1) {
    return `ambiguous ${strongest
      .map(({ id }) => id)
      .toSorted()
      .join(' ')}`;
  }
  return (durationSeconds ?? 3600) > 3600 ? `duration_not_allowed ${only.id}` : `allow ${only.id}`;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}

function shortVerdict(decision: Decision): string {
  return decision.kind === 'deny' ? 'deny' : verdictOf(decision);
}

describe('for any policy, caller, request and time', () => {
  it('every way to name a role gives one session: by its ARN, in any case, or by a mapping (T62)', () => {
    let several = 0;
    fc.assert(
      fc.property(fc.oneof(crowded, policies), requests, times, (rows, { sourceIp }, now) => {
        const by = member;
        const facts = {
          by,
          request: { role: undefined, durationSeconds: undefined, sourceIp },
          now,
        };
        const permitted = rows.filter((row) => meansPermitted(row, rows, facts));
        for (const { role } of permitted) {
          const same = permitted.filter((row) => isSameRole(row.role, role));
          const ids = same.map(({ id }) => id);
          if (ids.length > 1) several += 1;
          const ways = [role, role.replace(/[^/]+$/, (name) => name.toUpperCase()), ...ids];
          const sessions = ways.map((way) => {
            const request = { ...facts.request, role: way };
            const decision = decideOn(rows, { ...facts, request });
            return decision.kind === 'allow' ? decision.session : verdictOf(decision);
          });
          expect(sessions).toEqual(ways.map(() => expect.objectContaining({ caller: by })));
          for (const session of sessions) expect(session).toEqual(sessions[0]);
        }
      }),
      runs(1000),
    );
    expect(several).toBeGreaterThan(0);
  });

  it('explanations, permissions and kept sessions say what is decided (T60, T62, T63)', () => {
    fc.assert(
      fc.property(policies, callers, requests, times, (rows, by, { sourceIp }, now) => {
        const policy = snapshot(rows);
        const request = { role: undefined, durationSeconds: undefined, sourceIp };
        const allowed = [...policy.byId.values()].filter(({ mapping: { id } }) => {
          const decision = decide(policy, by, { ...request, role: id }, now);
          return decision.kind === 'allow' && decision.mapping.mapping.id === id;
        });
        const byId = (a: { mapping: RoleMapping }, b: { mapping: RoleMapping }) =>
          a.mapping.id < b.mapping.id ? -1 : 1;
        allowed.sort(byId);
        const written = (compiled: readonly CompiledMapping[]) =>
          compiled.map(({ mapping: { id }, version }) => [id, version]);
        expect(written(permittedMappings(policy, by, sourceIp, now))).toEqual(written(allowed));
        const { permitted, nearMisses } = atOnce(explaining(policy, by, request, now));
        expect(written(permitted)).toEqual(written(allowed));
        const missed = written(nearMisses.map(({ mapping: one }) => one));
        for (const near of missed) expect(written(allowed)).not.toContainEqual(near);

        const status = permissionsOf(policy, { ...principalOf(by), groups: by.groups }, now);
        for (const compiled of allowed) {
          expect(status.statusOf(compiled)).toBe('in_force');
          const decision = decide(policy, by, { ...request, role: compiled.mapping.id }, now);
          // A deny whose conditions do not hold now is enough to let a session go.
          if (decision.kind !== 'allow' || mayBeKept(policy, decision.session)) continue;
          const denies = rows.filter(({ effect, enabled }) => effect === 'deny' && enabled);
          const covering = ({ role }: RoleMapping) =>
            role === '*' || isSameRole(role, compiled.mapping.role);
          expect(denies.some(covering)).toBe(true);
        }
      }),
      runs(500),
    );
  });

  it('a session goes when a deny comes that applies to it (T60, T63)', () => {
    let gone = 0;
    fc.assert(
      fc.property(crowded, requests, times, denyFields, (rows, asked, now, fields) => {
        const facts = { by: member, request: { ...asked, role: undefined }, now };
        const decision = decideOn(rows, facts);
        const deny = mapping('deny', fields);
        const denied = decideOn([...rows, deny], facts);
        if (decision.kind !== 'allow' || denied.kind === 'allow') return;
        gone += 1;
        expect(mayBeKept(snapshot([...rows, deny]), decision.session)).toBe(false);
      }),
      runs(1000),
    );
    expect(gone).toBeGreaterThan(0);
  });

  it('the decision is what the policy means when it is read row by row', () => {
    fc.assert(
      fc.property(cases, ({ rows, ...facts }) => {
        expect(shortVerdict(decideOn(rows, facts))).toBe(meansVerdict({ rows, ...facts }));
      }),
      runs(2000),
    );
  });

  it('nobody gets a role that no enabled allow names for them (T18, T20)', () => {
    fc.assert(
      fc.property(cases, ({ rows, ...facts }) => {
        const decision = decideOn(rows, facts);
        if (decision.kind !== 'allow') return;
        const { roleArn: given, caller: to } = decision.session;
        expect(to).toBe(facts.by);
        expect(
          rows.some(
            ({ effect, enabled, role, principal }) =>
              effect === 'allow' && enabled && role === given && isPrincipal(principal, facts.by),
          ),
        ).toBe(true);
      }),
      runs(2000),
    );
  });

  it('a deny that applies takes its role away, whatever else stands in the policy (T25)', () => {
    fc.assert(
      fc.property(cases, denyFields, ({ rows, ...facts }, fields) => {
        const deny = mapping('deny', fields);
        fc.pre(applies(deny, facts));
        const decision = decideOn([...rows, deny], facts);
        if (deny.role === '*') expect(decision.kind).toBe('deny');
        else if (decision.kind === 'allow') {
          expect(isSameRole(decision.session.roleArn, deny.role)).toBe(false);
        }
      }),
      runs(500),
    );
  });

  it('the order of rows changes nothing (T25)', () => {
    const shuffled = cases.chain((one) =>
      fc
        .shuffledSubarray([...one.rows], { minLength: one.rows.length })
        .map((rows) => ({ ...one, shuffledRows: rows })),
    );
    fc.assert(
      fc.property(shuffled, ({ rows, shuffledRows, ...facts }) => {
        const decision = decideOn(rows, facts);
        expect(verdictOf(decideOn(shuffledRows, facts))).toBe(verdictOf(decision));
      }),
      runs(2000),
    );
  });

  it('removing an allow never widens what a caller may have', () => {
    fc.assert(
      fc.property(cases, fc.nat(), ({ rows, ...facts }, pick) => {
        const allows = rows.filter(({ effect }) => effect === 'allow');
        const removed = allows[pick % Math.max(1, allows.length)];
        const before = permittedRoles(rows, facts);
        const after = permittedRoles(
          rows.filter((row) => row !== removed),
          facts,
        );
        expect([...after].filter((role) => !before.has(role))).toEqual([]);
      }),
      runs(2000),
    );
  });

  it('adding a deny never widens what a caller may have', () => {
    fc.assert(
      fc.property(cases, denyFields, ({ rows, ...facts }, fields) => {
        const before = permittedRoles(rows, facts);
        const after = permittedRoles([...rows, mapping('deny', fields)], facts);
        expect([...after].filter((role) => !before.has(role))).toEqual([]);
      }),
      runs(2000),
    );
  });

  it('asking again gives the same answer, and neither policy nor caller nor request is changed', () => {
    fc.assert(
      fc.property(cases, ({ rows, by, request, now }) => {
        const policy = snapshot(rows);
        const contents = () =>
          JSON.stringify([policy.revision, [...policy.byId], [...policy.byPrincipal]]);
        const before = contents();
        const first = decide(policy, by, request, now);
        expect(decide(policy, by, request, now)).toEqual(first);
        expect(decide(snapshot(rows), by, request, now)).toEqual(first);
        expect(contents()).toBe(before);
      }),
      runs(2000),
    );
  });
});
