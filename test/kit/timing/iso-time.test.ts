import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isoTime } from '../../../src/kit/timing/iso-time.ts';

describe('isoTime', () => {
  it('is the text of that instant, whatever was asked for before', () => {
    const instant = fc.integer({ min: 0, max: 4_102_444_800_000 });
    fc.assert(
      fc.property(fc.array(fc.oneof(instant, fc.constantFrom(0, 1))), (instants) => {
        for (const epochMs of instants) {
          expect(isoTime(epochMs)).toBe(new Date(epochMs).toISOString());
          expect(isoTime(epochMs)).toBe(new Date(epochMs).toISOString());
        }
      }),
    );
  });

  it('has nothing to say of what is no instant', () => {
    expect(() => isoTime(Number.NaN)).toThrow(RangeError);
    expect(() => isoTime(Number.NaN)).toThrow(RangeError);
  });
});
