import { describe, expect, it } from '@jest/globals';
import { AdaptiveBucket } from '../../../src/kit/rates/adaptive-bucket.ts';
import { createTestClock } from '../../support/test-clock.ts';

const rate = { perSecond: 40, burst: 80 };

async function start() {
  const clock = createTestClock();
  const bucket = new AdaptiveBucket(rate, clock);
  await clock.advance(1);
  const takeAll = () => {
    let taken = 0;
    while (bucket.take()) taken += 1;
    return taken;
  };
  return { clock, bucket, takeAll };
}

describe('an adaptive bucket', () => {
  it('gives its burst and its rate while nobody complains', async () => {
    const { clock, bucket, takeAll } = await start();
    expect(takeAll()).toBe(80);
    await clock.advance(1000);
    expect(takeAll()).toBe(40);
    expect(bucket.perSecond).toBe(40);
  });

  it('halves its rate when told to slow down, and keeps a second of what it had saved', async () => {
    const { clock, bucket, takeAll } = await start();
    bucket.slowDown(clock.monotonic());
    expect([bucket.perSecond, takeAll()]).toEqual([20, 20]);
    await clock.advance(1000);
    expect(takeAll()).toBe(20);
  });

  it('counts those who were under way together once', async () => {
    const { clock, bucket } = await start();
    const startedAt = clock.monotonic();
    await clock.advance(50);
    for (let answers = 0; answers < 200; answers += 1) bucket.slowDown(startedAt);
    expect(bucket.perSecond).toBe(20);
  });

  it('never stops altogether', async () => {
    const { clock, bucket, takeAll } = await start();
    for (let times = 0; times < 20; times += 1) {
      await clock.advance(1);
      bucket.slowDown(clock.monotonic());
    }
    expect([bucket.perSecond, takeAll()]).toEqual([1, 1]);
    await clock.advance(1000);
    expect(takeAll()).toBe(1);
  });

  it('has its rate back after a minute without complaints, little by little', async () => {
    const { clock, bucket } = await start();
    bucket.slowDown(clock.monotonic());
    const rates: number[] = [];
    for (let tenths = 0; tenths < 6; tenths += 1) {
      await clock.advance(10_000);
      rates.push(Math.round(bucket.perSecond));
    }
    expect(rates).toEqual([27, 33, 40, 40, 40, 40]);
  });

  it('keeps what it is told to keep', async () => {
    const { bucket } = await start();
    let taken = 0;
    while (bucket.take(0.5)) taken += 1;
    expect(taken).toBe(41);
    expect(bucket.take()).toBe(true);
  });
});
