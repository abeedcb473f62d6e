import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decide } from '../../../src/core/policy/decide.ts';
import {
  changeSnapshot,
  changingSnapshot,
  compileSnapshot,
  type PolicySnapshot,
  principalKeysOf,
} from '../../../src/core/policy/policy-snapshot.ts';
import type { StoredRoleMapping } from '../../../src/core/policy/role-mapping.ts';
import { caller, domainNow, domainPool, machineCaller, mapping } from '../../support/domain.ts';

const stored = (id: string, version = 1) => ({ mapping: mapping(id), version });
const request = { role: undefined, durationSeconds: undefined, sourceIp: '192.0.2.7' };

describe('a policy snapshot', () => {
  it('keeps what was compiled for rows that have not changed', () => {
    const [kept, changed] = [stored('kept'), stored('changed')];
    const before = compileSnapshot(1, [kept, changed]);
    const after = compileSnapshot(2, [kept, stored('changed', 2), stored('new')], before);
    expect(after.byId.get('kept')).toBe(before.byId.get('kept'));
    expect(after.byId.get('changed')).not.toBe(before.byId.get('changed'));
    expect(after.byId.get('changed')?.version).toBe(2);
    expect(new Set(after.byId.keys())).toEqual(new Set(['kept', 'changed', 'new']));
  });

  it('does not take an equal version of another row for the same, as after a restore from backup', () => {
    const before = compileSnapshot(9, [stored('a', 3)]);
    const restored = {
      mapping: mapping('a', { role: 'arn:aws:iam::123456789012:role/x' }),
      version: 3,
    };
    const after = compileSnapshot(2, [restored], before);
    expect(after.byId.get('a')?.mapping).toBe(restored.mapping);
  });

  it('does not take another version of the same row for the same', () => {
    const row = stored('a', 1);
    const before = compileSnapshot(1, [row]);
    const after = compileSnapshot(2, [{ ...row, version: 2 }], before);
    expect(decide(after, caller(), request, domainNow)).toMatchObject({
      session: { mappingVersion: 2 },
    });
  });

  it('plans the sessions of a changed mapping anew, and those of a kept one not', () => {
    const by = caller();
    const row = stored('a');
    const before = compileSnapshot(1, [row]);
    const first = decide(before, by, request, domainNow);
    const kept = decide(compileSnapshot(2, [row], before), by, request, domainNow);
    const changed = decide(compileSnapshot(2, [stored('a', 2)], before), by, request, domainNow);
    const session = (decision: typeof first) => decision.kind === 'allow' && decision.session;
    expect(session(kept)).toBe(session(first));
    expect(session(changed)).not.toBe(session(first));
  });

  it('forgets the rows that are gone', () => {
    const before = compileSnapshot(1, [stored('a'), stored('b')]);
    const after = compileSnapshot(2, [stored('b')], before);
    expect(after.byId.has('a')).toBe(false);
    expect(decide(after, caller(), { ...request, role: 'a' }, domainNow).kind).toBe('deny');
  });

  it('leaves the snapshot before it as it was', () => {
    const row = stored('a');
    const before = compileSnapshot(1, [row]);
    compileSnapshot(2, [stored('a', 2), stored('b')], before);
    expect(before.revision).toBe(1);
    expect([...before.byId.keys()]).toEqual(['a']);
    expect([...before.byPrincipal.values()].flat()).toHaveLength(1);
  });

  it('finds a disabled mapping by id but for no principal', () => {
    const disabled = { mapping: mapping('a', { enabled: false }), version: 1 };
    const snapshot = compileSnapshot(1, [disabled]);
    expect(snapshot.byId.get('a')?.mapping).toBe(disabled.mapping);
    expect(snapshot.byPrincipal.size).toBe(0);
  });

  it('finds a mapping again that was enabled', () => {
    const disabled = { mapping: mapping('a', { enabled: false }), version: 1 };
    const before = compileSnapshot(1, [disabled]);
    const after = compileSnapshot(2, [stored('a', 2)], before);
    expect(decide(after, caller(), request, domainNow).kind).toBe('allow');
  });

  it('that is empty denies everything (T27)', () => {
    expect(decide(compileSnapshot(0, []), caller(), request, domainNow)).toEqual({
      kind: 'deny',
      reason: 'no_mapping',
      mapping: undefined,
    });
  });
});

/** Everything in it, in an order that does not depend on how it was made. */
function contents({ revision, byId, byPrincipal }: PolicySnapshot) {
  const name = ({ mapping: { id }, version }: StoredRoleMapping) => `${id} ${version}`;
  return {
    revision,
    sizes: [byId.size, byPrincipal.size],
    byId: new Map([...byId].map(([id, compiled]) => [id, [compiled.mapping, name(compiled)]])),
    byPrincipal: new Map([...byPrincipal].map(([key, list]) => [key, new Set(list.map(name))])),
    listed: [...byPrincipal.values()].flat().length,
  };
}

describe('a policy snapshot that was changed', () => {
  const ids = Array.from({ length: 6 }, (_, index) => `m-${index}`);
  const principals = [
    { pool: domainPool, client: 'c' },
    { pool: domainPool, group: 'g' },
    { pool: '*', any: true },
  ] as const;
  /** Undefined deletes; more than one mapping is what stands in for a row that cannot be read. */
  const edits = fc.array(
    fc.record({
      id: fc.constantFrom(...ids),
      after: fc.array(
        fc.record({
          principal: fc.constantFrom(...principals),
          effect: fc.constantFrom('allow' as const, 'deny' as const),
          enabled: fc.boolean(),
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 12 },
  );

  it('is the same as one that is compiled anew, whatever was changed, and leaves the one before', () => {
    fc.assert(
      fc.property(fc.array(edits, { minLength: 1, maxLength: 6 }), (rounds) => {
        const rows = new Map<string, readonly StoredRoleMapping[]>();
        let snapshot = compileSnapshot(0, []);
        let version = 0;
        for (const [round, changes] of rounds.entries()) {
          const before = new Map(rows);
          for (const { id, after } of changes) {
            version += 1;
            rows.set(
              id,
              after.map((fields) => ({ mapping: mapping(id, fields), version })),
            );
          }
          const touched = new Set(changes.map(({ id }) => id));
          const previous = contents(snapshot);
          const next = changeSnapshot(
            snapshot,
            round + 1,
            [...touched].map((id) => ({
              before: before.get(id) ?? [],
              after: rows.get(id) ?? [],
            })),
          );
          expect(contents(snapshot)).toEqual(previous);
          expect(contents(next)).toEqual(
            contents(compileSnapshot(round + 1, [...rows.values()].flat())),
          );
          snapshot = next;
        }
      }),
    );
  });

  it('keeps what was compiled for the rows that were not touched', () => {
    const before = compileSnapshot(1, [stored('kept'), stored('changed')]);
    const after = changeSnapshot(before, 2, [
      { before: [stored('changed')], after: [stored('changed', 2)] },
    ]);
    expect(after.byId.get('kept')).toBe(before.byId.get('kept'));
  });
});

describe('a policy snapshot that many changes make', () => {
  const principal = { pool: domainPool, group: 'g' };
  const rowOf = (index: number, version = 1) => ({
    mapping: mapping(`m-${index}`, { principal }),
    version,
  });

  it('is made in pieces of few changes', () => {
    const rows = Array.from({ length: 100 }, (_, index) => rowOf(index));
    let taken = 0;
    function* changes() {
      for (const row of rows) {
        taken += 1;
        yield { before: [row], after: [{ ...row, version: 2 }] };
      }
    }
    const work = changingSnapshot(compileSnapshot(1, rows), 2, changes());
    for (let before = 0; work.next().done !== true; before = taken) {
      expect(taken - before).toBeLessThanOrEqual(20);
    }
    expect(taken).toBe(rows.length);
  });

  it('looks at each other mapping of the same principal once (T311)', () => {
    let looks = 0;
    const rows = Array.from({ length: 400 }, (_, index) => {
      const row = rowOf(index);
      const { id } = row.mapping;
      return {
        ...row,
        mapping: Object.defineProperty({ ...row.mapping }, 'id', {
          get() {
            looks += 1;
            return id;
          },
        }),
      };
    });
    const before = compileSnapshot(1, rows);
    looks = 0;
    const changed = rows.slice(0, 300);
    changeSnapshot(
      before,
      2,
      changed.map((row, index) => ({ before: [row], after: [rowOf(index, 2)] })),
    );
    expect(looks).toBeLessThan(10 * rows.length);
  });

  it('takes up a long list of one principal in pieces', () => {
    const rows = Array.from({ length: 12_000 }, (_, index) => rowOf(index));
    const before = compileSnapshot(1, rows);
    const [first] = rows;
    const work = changingSnapshot(before, 2, [{ before: [first as StoredRoleMapping], after: [] }]);
    let pieces = 1;
    while (work.next().done !== true) pieces += 1;
    expect(pieces).toBeGreaterThan(2);
  });
});

describe('the keys under which a mapping for a caller can stand', () => {
  it('are all different, however its names are chosen', () => {
    const name = 'same';
    const keys = principalKeysOf(
      caller({ subject: name, clientId: name, groups: [name, '*', ''] }),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('name a machine as an app client only', () => {
    const kinds = principalKeysOf(machineCaller()).map((key) => key.split('\n')[0]);
    expect(kinds).toEqual(['any', 'any', 'client']);
  });

  it('are all of its own pool, but for the one of everybody', () => {
    const pools = principalKeysOf(caller({ groups: ['g'] })).map((key) => key.split('\n')[1]);
    expect(pools).toEqual(['*', domainPool, domainPool, domainPool, domainPool]);
  });
});
