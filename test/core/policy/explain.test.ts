import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { explaining } from '../../../src/core/policy/explain.ts';
import type { RoleMappingInput } from '../../../src/core/policy/role-mapping.ts';
import { atOnce } from '../../../src/kit/timing/in-turns.ts';
import {
  ask,
  caller,
  domainNow,
  domainPool,
  mapping,
  roleArn,
  snapshotOf,
  verdictOf,
} from '../../support/domain.ts';
import { runs } from '../../support/fuzz-budget.ts';

const role = roleArn('orders');
const asked = { role, durationSeconds: undefined, sourceIp: '192.0.2.7' };
const by = caller({ groups: ['billing'], scopes: new Set(['orders/read']) });

const ours = { pool: domainPool, client: '4abc0exampleclientid' };

const oneOf = <Value>(...values: readonly Value[]) => fc.constantFrom(...values);
const optional = <Value>(value: Value) => oneOf(value, undefined);

/** Without the members that are undefined: a mapping has them or has them not. */
const conditions = fc
  .record({
    scopes: oneOf(undefined, ['orders/read'], ['orders/read', 'orders/write']),
    claims: oneOf(undefined, { sub: [by.subject] }, { sub: ['another'], client_id: ['x'] }),
    caller: oneOf(undefined, 'machine', 'person'),
    sourceCidrs: oneOf(undefined, ['192.0.2.0/24'], ['2001:db8::/32']),
    notBefore: oneOf(undefined, '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'),
    expiresAt: oneOf(undefined, '2025-12-31T00:00:00Z', '2028-01-01T00:00:00Z'),
  })
  .map((all) => JSON.parse(JSON.stringify(all)) as RoleMappingInput['conditions']);

const policy = fc
  .array(
    fc.record({
      effect: oneOf('allow' as const, 'allow' as const, 'deny' as const),
      enabled: oneOf(true, true, false),
      role: oneOf(role, roleArn('other')),
      principal: oneOf<RoleMappingInput['principal']>(
        ours,
        { pool: domainPool, group: 'billing' },
        { pool: domainPool, group: 'strangers' },
      ),
      conditions,
    }),
    { maxLength: 8 },
  )
  .map((rows) =>
    rows.map((fields, index) => mapping(`m-${index}`, fields as Partial<RoleMappingInput>)),
  );

describe('an explanation', () => {
  it('tells the decision that is made, and names a near miss exactly where a condition failed', () => {
    fc.assert(
      fc.property(policy, optional(role), (rows, wanted) => {
        const request = { ...asked, role: wanted };
        const found = atOnce(explaining(snapshotOf(...rows), by, request, domainNow));
        expect(verdictOf(found.decision)).toBe(verdictOf(ask({ policy: rows, by, ...request })));

        const missed = new Set(found.nearMisses.map((miss) => miss.mapping.mapping.id));
        for (const { mapping: permitted } of found.permitted) {
          expect(missed.has(permitted.id)).toBe(false);
        }
        const { decision } = found;
        if (decision.kind === 'deny' && decision.reason !== 'explicit_deny' && decision.mapping) {
          expect(missed.has(decision.mapping.mapping.id)).toBe(true);
        }
      }),
      runs(500),
    );
  });

  it('is complete: with every failed condition put right, the near miss applies', () => {
    fc.assert(
      fc.property(policy, (rows) => {
        const { nearMisses } = atOnce(explaining(snapshotOf(...rows), by, asked, domainNow));
        for (const { mapping: compiled, failed } of nearMisses) {
          const { mapping: near } = compiled;
          const rest = JSON.parse(JSON.stringify(near)) as Record<string, unknown>;
          for (const { pointer } of failed) remove(rest, pointer);
          const cured = mapping('cured', { principal: ours, ...rest, id: 'cured', enabled: true });
          const applies = near.effect === 'allow' && near.role === role;
          expect(ask({ policy: [cured], by, ...asked }).kind).toBe(applies ? 'allow' : 'deny');
        }
      }),
      runs(300),
    );
  });

  it('gives the expected and the actual value of each condition that failed', () => {
    const near = mapping('near', {
      role,
      principal: { pool: domainPool, group: 'auditors' },
      enabled: false,
      conditions: {
        caller: 'machine',
        scopes: ['orders/write'],
        claims: { 'custom:team': ['payments'] },
        sourceCidrs: ['10.0.0.0/8'],
        notBefore: '2026-02-01T00:00:00Z',
        expiresAt: '2026-03-01T00:00:00Z',
      },
    });
    const { nearMisses } = atOnce(explaining(snapshotOf(near), by, asked, domainNow));
    expect(nearMisses.map(({ failed }) => failed)).toEqual([
      [
        { pointer: '/enabled', expected: true, actual: false },
        {
          pointer: '/principal',
          expected: { pool: domainPool, group: 'auditors' },
          actual: {
            pool: domainPool,
            client: '4abc0exampleclientid',
            user: by.subject,
            groups: ['billing'],
          },
        },
        {
          pointer: '/conditions/notBefore',
          expected: '2026-02-01T00:00:00Z',
          actual: '2026-01-15T12:00:00Z',
        },
        { pointer: '/conditions/caller', expected: 'machine', actual: 'person' },
        { pointer: '/conditions/scopes', expected: ['orders/write'], actual: ['orders/read'] },
        { pointer: '/conditions/claims/custom:team', expected: ['payments'], actual: null },
        { pointer: '/conditions/sourceCidrs', expected: ['10.0.0.0/8'], actual: '192.0.2.7' },
      ],
    ]);
  });

  it('shows the nearest 50 first, and says how many more there are', () => {
    const far = { conditions: { scopes: ['x'], sourceCidrs: ['10.0.0.0/8'] }, role };
    const rows = Array.from({ length: 60 }, (_, index) =>
      mapping(`m-${String(index).padStart(2, '0')}`, index === 59 ? { role, enabled: false } : far),
    );
    const { nearMisses, omitted } = atOnce(explaining(snapshotOf(...rows), by, asked, domainNow));
    expect([nearMisses.length, omitted, nearMisses[0]?.mapping.mapping.id]).toEqual([
      50,
      10,
      'm-59',
    ]);
  });
});

function remove(document: Record<string, unknown>, pointer: string): void {
  const path = pointer.slice(1).split('/');
  const last = path.pop() ?? '';
  const parent = path.reduce<Record<string, unknown>>(
    (node, name) => node[name] as Record<string, unknown>,
    document,
  );
  delete parent[last];
}
