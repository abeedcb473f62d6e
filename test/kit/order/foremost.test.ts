import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Foremost } from '../../../src/kit/order/foremost.ts';
import { runs } from '../../support/fuzz-budget.ts';

describe('the foremost', () => {
  it('are those that come first once all are sorted', () => {
    const items = fc.array(fc.record({ key: fc.integer({ min: 0, max: 9 }), at: fc.nat() }));
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 8 }), (all, most) => {
        const compare = (a: { key: number }, b: { key: number }) => a.key - b.key;
        const foremost = new Foremost(most, compare);
        for (const item of all) foremost.add(item);
        expect(foremost.items).toEqual([...all].sort(compare).slice(0, most));
      }),
      runs(1000),
    );
  });
});
