import { expect, it } from '@jest/globals';
import { atMost } from '../../../src/kit/timing/at-most.ts';
import { createTestClock } from '../../support/test-clock.ts';

it('gives the outcome of work that ends in time, failures included', async () => {
  const clock = createTestClock();

  expect(await atMost(clock, 10, Promise.resolve('done'))).toBe('done');
  await expect(atMost(clock, 10, Promise.reject(new Error('failed')))).rejects.toThrow('failed');
});

it('gives undefined once the time is up, and lets the work go on', async () => {
  const clock = createTestClock();
  let finish = (_value: string) => {};
  const work = new Promise<string>((resolve) => {
    finish = resolve;
  });
  const waited = atMost(clock, 10, work);
  await clock.advance(10);

  expect(await waited).toBeUndefined();
  finish('later');
  expect(await work).toBe('later');
});
