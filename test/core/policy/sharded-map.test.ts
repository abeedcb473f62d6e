import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ShardedMap } from '../../../src/core/policy/sharded-map.ts';

type Change = readonly [key: string, value: object | undefined];

const changes: fc.Arbitrary<Change[]> = fc.array(
  fc.tuple(
    fc.string({ unit: 'binary', maxLength: 3 }),
    fc.option(fc.record({ value: fc.nat(9) }), { nil: undefined }),
  ),
  { maxLength: 30 },
);

function changeModel(model: Map<string, object>, round: readonly Change[]): void {
  for (const [key, value] of round) {
    if (value === undefined) model.delete(key);
    else model.set(key, value);
  }
}

const sorted = <Value>(entries: Iterable<readonly [string, Value]>) =>
  [...entries].sort(([a], [b]) => (a < b ? -1 : 1));

describe('a sharded map', () => {
  it('is what a map would be, however it is changed', () => {
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 6 }), (rounds) => {
        const model = new Map<string, object>();
        let map = ShardedMap.of<object>();
        for (const round of rounds) {
          map = map.with(round);
          changeModel(model, round);
        }
        const seen = new Map<string, object>();
        map.forEach((value, key) => {
          seen.set(key, value);
        });
        expect([map.size, sorted(map.entries())]).toEqual([model.size, sorted(model)]);
        expect(sorted(seen)).toEqual(sorted(model));
        expect([...map.keys()].map((key) => map.get(key))).toEqual([...map.values()]);
        expect([...map.keys()].every((key) => map.has(key))).toBe(true);
      }),
    );
  });

  it('stays as it is when a changed copy is made of it', () => {
    fc.assert(
      fc.property(changes, changes, (first, second) => {
        const map = ShardedMap.of<object>().with(first);
        const before = sorted(map);
        map.with(second);
        expect(sorted(map)).toEqual(before);
      }),
    );
  });

  it('has nothing that was not put into it', () => {
    const map = ShardedMap.of([['there', {}]]);
    for (const key of ['', 'not there', '__proto__', 'toString']) {
      expect([map.has(key), map.get(key)]).toEqual([false, undefined]);
    }
  });
});
