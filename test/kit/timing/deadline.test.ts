import { getEventListeners, once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../src/kit/timing/clock.ts';
import { orAborted } from '../../../src/kit/timing/or-aborted.ts';
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

  it('is one of many on the same signal, and nobody takes them for a leak', async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error) => void warnings.push(name);
    process.on('warning', onWarning);
    const giving = new AbortController();
    const clock = createTestClock();
    const limits = { clock, timeoutMs: 1_000, givenUp: giving.signal };
    const works = Array.from({ length: 50 }, () => withDeadline(limits, never));
    const waits = Array.from({ length: 50 }, () => orAborted(never(), giving.signal));
    // Warnings come a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    giving.abort('enough');
    for (const work of [...works, ...waits]) await expect(work).rejects.toBe('enough');
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(getEventListeners(giving.signal, 'abort')).toEqual([]);
  });

  it('holds for work that does not heed its signal', async () => {
    const clock = createTestClock();
    const work = withDeadline({ clock, timeoutMs: 1_000 }, never);
    const ended = expect(work).rejects.toMatchObject({ name: 'TimeoutError' });

    await clock.expireDeadlines();

    await ended;
  });
});

describe('a process that stood still', () => {
  it('reads what arrived in time before it takes it for late', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    try {
      const [[answering]] = await Promise.all([
        once(server, 'connection'),
        once(client, 'connect'),
      ]);
      const order: string[] = [];
      client.on('data', () => order.push('read'));
      const { signal } = systemClock.deadline(20);
      signal.addEventListener('abort', () => order.push('late'));
      // The answer is there, and the time is up, in one turn of the event loop.
      answering.write('answer');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
      await once(signal, 'abort');
      expect(order).toEqual(['read', 'late']);
    } finally {
      client.destroy();
      server.close();
    }
  });
});
