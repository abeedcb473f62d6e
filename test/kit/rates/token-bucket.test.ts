import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KeyedBuckets } from '../../../src/kit/rates/keyed-buckets.ts';
import { TokenBucket } from '../../../src/kit/rates/token-bucket.ts';
import { portion, runs } from '../../support/fuzz-budget.ts';
import { createTestClock } from '../../support/test-clock.ts';

function taken(bucket: TokenBucket, tries: number): number {
  return Array.from({ length: tries }, () => bucket.take()).filter(Boolean).length;
}

describe('a token bucket', () => {
  it('lets the burst through at once, then the rate', async () => {
    const clock = createTestClock();
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, clock);
    expect(taken(bucket, 20)).toBe(5);
    await clock.advance(1000);
    expect(taken(bucket, 20)).toBe(5);
    await clock.advance(300);
    expect(taken(bucket, 20)).toBe(3);
  });

  it('says truly how long to wait: not a moment less, and no moment more', async () => {
    const clock = createTestClock();
    const bucket = new TokenBucket({ perSecond: 4, burst: 2 }, clock);
    expect(bucket.waitMs).toBe(0);
    taken(bucket, 2);
    expect(bucket.waitMs).toBe(250);
    await clock.advance(249);
    expect(bucket.take()).toBe(false);
    await clock.advance(1);
    expect([bucket.waitMs, bucket.take()]).toEqual([0, true]);
  });

  it('never lets more through than the burst and the rate allow, however it is asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 40 }))),
        async (perSecond, burst, steps) => {
          const clock = createTestClock();
          const bucket = new TokenBucket({ perSecond, burst }, clock);
          let passed = 0;
          for (const [waitMs, tries] of steps) {
            await clock.advance(waitMs);
            passed += taken(bucket, tries);
            expect(passed).toBeLessThanOrEqual(
              burst + (clock.monotonic() / 1000) * perSecond + 1e-6,
            );
          }
        },
      ),
      runs(50),
    );
  });
});

describe('keyed buckets', () => {
  it('count each key for itself', () => {
    const rate = { perSecond: 1, burst: 1 };
    const buckets = new KeyedBuckets({ rate, clock: createTestClock() });
    expect([buckets.of('a').take(), buckets.of('a').take()]).toEqual([true, false]);
    expect(buckets.of('b').take()).toBe(true);
    expect(buckets.known('c')).toBe(undefined);
  });

  it('forget those that are full again, and no others', async () => {
    const clock = createTestClock();
    const buckets = new KeyedBuckets({ rate: { perSecond: 1, burst: 2 }, clock });
    for (let key = 0; key < 100; key += 1) buckets.of(`early ${key}`).take();
    await clock.advance(999);
    for (let key = 0; key < 100; key += 1) expect(taken(buckets.of(`late ${key}`), 3)).toBe(2);
    expect(buckets.size).toBe(200);
    await clock.advance(1);
    // Full again are the early ones alone, and each that comes has two of them forgotten.
    for (let key = 0; key < 60; key += 1) taken(buckets.of(`last ${key}`), 2);
    expect(buckets.size).toBe(160);
    expect([buckets.known('early 99'), buckets.known('late 0')]).toEqual([
      undefined,
      expect.anything(),
    ]);
    expect(taken(buckets.of('late 0'), 3)).toBe(0);
  });

  it('stay as many as they may be, whatever number of keys there is', () => {
    const rate = { perSecond: 1, burst: 1 };
    const buckets = new KeyedBuckets({ rate, clock: createTestClock(), maxKeys: 1000 });
    const keys = portion(1_000_000);
    for (let key = 0; key < keys; key += 1) buckets.of(`2001:db8::${key}`).take();
    expect(buckets.size).toBe(1000);
    expect(buckets.of(`2001:db8::${keys - 1}`).take()).toBe(false);
  });
});
