/** Warnings that look at the whole policy read indexes; here each is worked out by looking at every other mapping. */

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mappingWarnings } from '../../../src/core/policy/mapping-warnings.ts';
import { compileSnapshot, principalKey } from '../../../src/core/policy/policy-snapshot.ts';
import type { RoleMapping } from '../../../src/core/policy/role-mapping.ts';
import { atOnce } from '../../../src/kit/timing/in-turns.ts';
import {
  domainNow,
  domainPool,
  mapping,
  otherPool,
  roleArn,
  warningsOf,
} from '../../support/domain.ts';
import { runs } from '../../support/fuzz-budget.ts';

/** Few of everything, so that mappings meet often. */
const pool = fc.constantFrom(domainPool, otherPool);
const name = fc.constantFrom('a', 'b', 'c');
const principal = fc.oneof(
  { weight: 3, arbitrary: fc.record({ pool, client: name }) },
  fc.record({ pool, group: name }),
  fc.record({ pool, user: name }),
);
const mappings = fc
  .uniqueArray(
    fc.record({
      id: fc.integer({ min: 0, max: 40 }).map((number) => `m-${number}`),
      principal,
      effect: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
      role: fc.constantFrom(
        roleArn('one'),
        roleArn('ONE'),
        roleArn('two'),
        'arn:aws:iam::210987654321:role/broker/one',
      ),
      enabled: fc.constantFrom(true, true, true, false),
      name: fc.constantFrom('{client}', 'x-{client}', 'literal', '{mapping}', '{sub}'),
    }),
    { minLength: 1, maxLength: 30, selector: ({ id }) => id },
  )
  .map((rows) =>
    rows.map(({ id, name: template, ...fields }) =>
      mapping(id, { ...fields, session: { name: template } }),
    ),
  );

const sameRole = (a: RoleMapping, b: RoleMapping) =>
  a.role.split(':')[4] === b.role.split(':')[4] &&
  a.role.split('/').at(-1)?.toLowerCase() === b.role.split('/').at(-1)?.toLowerCase();
const samePrincipal = (a: RoleMapping, b: RoleMapping) =>
  principalKey(a.principal) === principalKey(b.principal);
const clientOf = ({ principal: named }: RoleMapping) =>
  'client' in named ? named.client : undefined;
const ids = (found: readonly RoleMapping[]) => found.map(({ id }) => id).sort();

function overlapping(one: RoleMapping, all: readonly RoleMapping[]): string[] {
  return ids(
    all.filter(
      (other) =>
        other.id !== one.id &&
        other.enabled &&
        other.effect === one.effect &&
        samePrincipal(one, other) &&
        sameRole(one, other),
    ),
  );
}

function sharing(one: RoleMapping, all: readonly RoleMapping[]): string[] {
  const template = one.session.name;
  return ids(
    all.filter((other) => {
      const clients = [clientOf(one), clientOf(other)];
      const toldApart =
        template.includes('{client}') && !clients.includes(undefined) && clients[0] !== clients[1];
      return (
        other.id !== one.id &&
        other.enabled &&
        other.effect === 'allow' &&
        other.session.name === template &&
        sameRole(one, other) &&
        !samePrincipal(one, other) &&
        !toldApart
      );
    }),
  );
}

/** Whom the warning names; it names nobody where the mapping's own callers share a name. */
function toldOfNames(detail: string | undefined): string {
  if (detail?.startsWith('gives everybody')) return 'of its own';
  return /also that of others with this role \((.*)\), so/.exec(detail ?? '')?.[1] ?? '';
}

describe('warnings that depend on the other mappings', () => {
  it('name the first five of those that looking at each of them finds', () => {
    fc.assert(
      fc.property(mappings, fc.integer({ min: 0, max: 29 }), fc.boolean(), (all, at, stored) => {
        const one = all[at % all.length] as RoleMapping;
        // An edit is judged before it is in the policy, too.
        const known = stored ? all : all.filter(({ id }) => id !== one.id);
        const rows = known.map((row) => ({ mapping: row, version: 1 }));
        const snapshot = compileSnapshot(1, rows);
        const around = { snapshot, pools: undefined, now: domainNow };
        const warnings = warningsOf(one, around);
        expect(atOnce(mappingWarnings(all, around))[at % all.length]).toEqual(warnings);
        const detailAt = (pointer: string) =>
          warnings.find((warning) => warning.pointer === pointer)?.detail;

        const rivals = overlapping(one, known);
        const overlap = `${rivals.length} more for the same principal and role (${rivals.slice(0, 5).join(', ')})`;
        if (rivals.length === 0) expect(detailAt('/role')).toBeUndefined();
        else expect(detailAt('/role')).toContain(overlap);

        const told = toldOfNames(detailAt('/session/name'));
        if (told === 'of its own') return;
        const speaks = one.effect === 'allow' && !/\{sub\}|\{mapping\}/.test(one.session.name);
        expect(told).toBe(speaks ? sharing(one, known).slice(0, 5).join(', ') : '');
      }),
      runs(2000),
    );
  });

  it('count the app clients of a provider, whatever else has roles in the account', () => {
    const often = <T>(usual: T, other: T) => fc.constantFrom(...Array(6).fill(usual), other);
    const row = fc.record({
      client: fc.integer({ min: 0, max: 130 }).map((number) => `c-${number}`),
      pool: often(domainPool, otherPool),
      effect: often<'allow' | 'deny'>('allow', 'deny'),
      account: often('123456789012', '210987654321'),
      enabled: often(true, false),
    });
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 200, maxLength: 500, size: 'max' }),
        fc.boolean(),
        (rows, stored) => {
          const all = rows.map(({ client: id, pool: of, account, ...fields }, at) =>
            mapping(`m-${at}`, {
              ...fields,
              principal: { pool: of, client: id },
              role: `arn:aws:iam::${account}:role/r-${at}`,
            }),
          );
          const one = all[0] as RoleMapping;
          const known = stored ? all : all.slice(1);
          const audience = new Set(
            [one, ...known]
              .filter(({ effect, enabled, principal: { pool: of }, role }) => {
                const here = role.split(':')[4] === one.role.split(':')[4];
                return effect === 'allow' && enabled && of === one.principal.pool && here;
              })
              .map(clientOf),
          );
          const snapshot = compileSnapshot(
            1,
            known.map((each) => ({ mapping: each, version: 1 })),
          );
          const warned = warningsOf(one, { snapshot }).find(({ detail }) =>
            detail.includes('an OIDC provider of IAM takes'),
          )?.detail;
          const full = one.effect === 'allow' && one.enabled && audience.size > 100;
          if (full) expect(warned).toMatch(new RegExp(`^is one of ${audience.size} app clients`));
          else expect(warned).toBeUndefined();
        },
      ),
      runs(200),
    );
  });
});
