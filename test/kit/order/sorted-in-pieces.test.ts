import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { sortedInPieces } from '../../../src/kit/order/sorted-in-pieces.ts';
import { atOnce } from '../../../src/kit/timing/in-turns.ts';
import { runs } from '../../support/fuzz-budget.ts';

interface Item {
  readonly key: number;
  readonly at: number;
}
/** Few keys, so that many are equal. */
const compare = (a: Item, b: Item) => a.key - b.key;

/** As many as a property tries are cheap, and several runs long: multiplied from a few numbers. */
const lists = fc
  .record({
    length: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 900, max: 9_000 })),
    step: fc.integer({ min: 1, max: 10_007 }),
    keys: fc.integer({ min: 1, max: 10_007 }),
  })
  .map(({ length, step, keys }) =>
    Array.from({ length }, (_, at): Item => ({ key: (at * step) % keys, at })),
  );

describe('what is sorted in pieces', () => {
  it('is in the order in which Array.sort has it, equal ones among them', () => {
    fc.assert(
      fc.property(lists, (list) => {
        expect(atOnce(sortedInPieces(list, compare))).toEqual([...list].sort(compare));
      }),
      runs(300),
    );
  });

  it('pauses before it has compared long', () => {
    const list = Array.from({ length: 20_000 }, (_, at) => `id-${(at * 7919) % 20_000}`);
    let compared = 0;
    let most = 0;
    const sorting = sortedInPieces(list, (a, b) => {
      compared += 1;
      return a < b ? -1 : 1;
    });
    for (let step = sorting.next(); step.done !== true; step = sorting.next()) {
      most = Math.max(most, compared);
      compared = 0;
    }
    // Of a run of a thousand, sorted by itself.
    expect(Math.max(most, compared)).toBeLessThan(12_000);
  });
});
