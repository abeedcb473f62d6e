import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { withDeadline } from '../../../src/kit/timing/with-deadline.ts';
import { createTestClock } from '../../support/test-clock.ts';

const never = () => new Promise<never>(() => {});

describe('a deadline', () => {
  it('aborts when the time of its clock is up, and not a moment before', async () => {
    const clock = createTestClock();
    const { signal } = clock.deadline(1_000);

    await clock.advance(999);
    expect(signal.aborted).toBe(false);
    await clock.expireDeadlines();

    expect(clock.monotonic()).toBe(1_000);

    expect(signal.reason).toMatchObject({ name: 'TimeoutError' });
  });

  it.each([
    [
      'while it runs',
      (giving: AbortController) => void queueMicrotask(() => giving.abort('enough')),
    ],
    ['before it was set', (giving: AbortController) => giving.abort('enough')],
  ])('ends with the reason for which it was given up %s', async (_when, giveUp) => {
    const giving = new AbortController();
    giveUp(giving);
    const clock = createTestClock();

    const work = withDeadline({ clock, timeoutMs: 1_000, givenUp: giving.signal }, never);

    await expect(work).rejects.toBe('enough');
    expect(clock.deadlines).toBe(0);
  });

  it('never aborts after it was released, and leaves nothing behind', async () => {
    const clock = createTestClock();
    const { signal: givenUp } = new AbortController();
    const { signal, release } = clock.deadline(1_000, givenUp);
    release();
    release();

    await clock.advance(2_000);

    expect(signal.aborted).toBe(false);
    expect(clock.deadlines).toBe(0);
    expect(getEventListeners(givenUp, 'abort')).toEqual([]);
  });

  it.each([
    ['work that succeeds', async () => 'done'],
    ['work that fails', async () => Promise.reject(new Error('failed'))],
    [
      'work that throws before it returns',
      () => {
        throw new Error('thrown');
      },
    ],
  ])('is released after %s', async (_which, work) => {
    const clock = createTestClock();
    const { signal: givenUp } = new AbortController();

    await withDeadline({ clock, timeoutMs: 1_000, givenUp }, work).catch(() => undefined);

    expect(clock.deadlines).toBe(0);
    expect(getEventListeners(givenUp, 'abort')).toEqual([]);
  });

  it('holds for work that does not heed its signal', async () => {
    const clock = createTestClock();
    const work = withDeadline({ clock, timeoutMs: 1_000 }, never);
    const ended = expect(work).rejects.toMatchObject({ name: 'TimeoutError' });

    await clock.expireDeadlines();

    await ended;
  });
});
