import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { minRemainingMs, renewalRemainingMs } from '../../src/sts/session-lifetime.ts';

const durations = fc.integer({ min: 900, max: 43_200 });
const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the least life that credentials are handed out with (T32)', () => {
  it.each([
    [900, 300],
    [1200, 400],
    [1799, 1799 / 3],
    [1800, 900],
    [3600, 900],
    [43_200, 900],
  ])('of a session of %i s is %d s', (durationSeconds, remainingSeconds) => {
    expect(minRemainingMs(durationSeconds)).toBeCloseTo(remainingSeconds * 1000);
  });
});

describe('renewal in the background', () => {
  it('is due before callers would have to wait for it, whatever the duration', () => {
    fc.assert(
      fc.property(durations, jitter, (durationSeconds, random) => {
        const lifetimeMs = durationSeconds * 1000;
        const remainingMs = renewalRemainingMs(durationSeconds, lifetimeMs, random);
        expect(remainingMs).toBeGreaterThanOrEqual(minRemainingMs(durationSeconds) - 0.001);
        expect(remainingMs).toBeLessThanOrEqual(0.7 * lifetimeMs);
      }),
    );
  });

  it('of entries made together is spread over a fifth of their life or more', () => {
    fc.assert(
      fc.property(durations, (durationSeconds) => {
        const lifetimeMs = durationSeconds * 1000;
        const first = renewalRemainingMs(durationSeconds, lifetimeMs, 0);
        const last = renewalRemainingMs(durationSeconds, lifetimeMs, 1);
        expect(first - last).toBeGreaterThanOrEqual(0.2 * lifetimeMs - 0.001);
      }),
    );
  });

  it('of a session of an hour or more is due at 50 to 75 % of its life', () => {
    expect(renewalRemainingMs(3600, 3_600_000, 0)).toBe(1_800_000);
    expect(renewalRemainingMs(3600, 3_600_000, 1)).toBe(900_000);
    expect(renewalRemainingMs(43_200, 43_200_000, 0)).toBe(21_600_000);
    expect(renewalRemainingMs(43_200, 43_200_000, 1)).toBe(10_800_000);
  });
});
