import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { distinctList } from '../../../src/kit/json/distinct-list.ts';

const list = distinctList(z.string());

function placesOfCopies(items: readonly string[]): readonly unknown[] {
  const parsed = list.safeParse(items);
  return (parsed.error?.issues ?? []).map(({ path, message }) => [path, message]);
}

describe('A list of distinct texts', () => {
  it('names the place of every copy, whatever the texts are', () => {
    // Few enough that there are copies.
    const text = fc.constantFrom('', 'a', 'b', '__proto__', 'constructor', '0', ' a');
    fc.assert(
      fc.property(fc.array(text, { maxLength: 12 }), (items) => {
        const copies = items.flatMap((item, index) =>
          items.slice(0, index).includes(item) ? [[[index], 'is there twice']] : [],
        );
        expect(placesOfCopies(items)).toEqual(copies);
      }),
    );
  });

  it('of as many app clients as there may be takes no more than a moment', () => {
    const clients = Array.from({ length: 40_000 }, (_, index) => `client${index + 1_000_000}`);
    // Of this process: what else a busy machine does is no fault of the list.
    const started = process.cpuUsage();
    expect(placesOfCopies(clients)).toEqual([]);
    expect(process.cpuUsage(started).user).toBeLessThan(2_000_000);
  });
});
