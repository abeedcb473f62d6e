import { describe, expect, it } from '@jest/globals';
import type { RoleMappingStore } from '../../../src/core/editing/ports.ts';
import { type Way, wayOf } from '../../../src/core/editing/second-administrator.ts';
import { noApproval } from '../../../src/core/policy/approval.ts';
import { defaultGuardrails } from '../../../src/core/policy/guardrails.ts';
import { changeSnapshot, compileSnapshot } from '../../../src/core/policy/policy-snapshot.ts';
import type { RoleMapping } from '../../../src/core/policy/role-mapping.ts';
import { domainPool, mapping, roleArn } from '../../support/domain.ts';

const role = roleArn('orders');
const narrow = mapping('narrow', {
  principal: { pool: domainPool, user: 'ada' },
  role,
  session: { durationSeconds: 900, maxDurationSeconds: 900 },
});
/** What the narrow one keeps from counting. */
const broad = mapping('broad', { principal: { pool: domainPool, group: 'all' }, role });
const others = Array.from({ length: 3_000 }, (_, at): RoleMapping => {
  const principal = { pool: domainPool, client: `client-${at}` };
  return { ...broad, id: `m-${at}`, role: roleArn('other'), principal };
});

const facts = {
  version: 1,
  revision: 1,
  action: 'create',
  updatedAt: '2026-01-01T00:00:00Z',
  updatedBy: 'ada',
  actorProven: true,
  reason: 'needed',
} as const;

/** The way of a deletion, while somebody else's edits come in: each as soon as the policy has been looked at so often. */
async function wayWhile(edits: readonly RoleMapping[]): Promise<{ way: Way; looks: number }> {
  const row = (one: RoleMapping) => ({ mapping: one, version: 1 });
  let snapshot = compileSnapshot(1, [narrow, ...others].map(row));
  let looks = 0;
  const left = [...edits];
  const watch = () => {
    const { byPrincipal } = snapshot;
    const values = byPrincipal.values.bind(byPrincipal);
    byPrincipal.values = function* () {
      looks += 1;
      let seen = 0;
      for (const group of values()) {
        yield group;
        seen += 1;
        const edit = seen === 2_000 ? left.shift() : undefined;
        if (edit === undefined) continue;
        snapshot = changeSnapshot(snapshot, snapshot.revision + 1, [
          { before: [], after: [row(edit)] },
        ]);
        watch();
      }
      return undefined;
    };
  };
  watch();
  const way = await wayOf(
    {
      edit: {
        ...{ id: narrow.id, action: 'delete', after: undefined },
        current: { ...facts, id: narrow.id, mapping: narrow, faults: [], document: narrow },
      },
      request: {
        ...{ id: narrow.id, change: { kind: 'delete' }, expectedVersion: 1, reason: 'gone' },
        ...{ override: false, breakGlass: false, propose: false },
      },
      caller: undefined,
    },
    {
      store: { head: async () => snapshot.revision } as RoleMappingStore,
      policy: {
        current: () => snapshot,
        refresh: async () => undefined,
        quarantined: () => [],
      },
      rules: () => ({
        guardrails: { ...defaultGuardrails, approval: { ...noApproval, when: 'widens' } },
        ...{ pools: undefined, matchableClaims: new Set<string>() },
      }),
    },
  );
  return { way, looks };
}

describe('a deletion that is judged over several turns', () => {
  const elsewhere = (id: string) => mapping(id, { principal: { pool: domainPool, user: id } });

  it('needs nobody while the policy stays as it is', async () => {
    expect(await wayWhile([])).toEqual({ way: 'direct', looks: 1 });
  });

  it('waits for what others wrote meanwhile: a wider allow may lie behind it (T230)', async () => {
    expect(await wayWhile([broad])).toEqual({ way: 'proposal', looks: 2 });
    expect(await wayWhile([elsewhere('bob')])).toEqual({ way: 'direct', looks: 2 });
  });

  it('is judged without a pause where the policy never stays as it is', async () => {
    const edits = ['bob', 'cleo', 'dan', 'eve'].map(elsewhere);
    expect(await wayWhile(edits)).toEqual({ way: 'direct', looks: 3 });
    expect(await wayWhile([elsewhere('bob'), broad])).toEqual({ way: 'proposal', looks: 3 });
  });
});
