import { describe, expect, it } from '@jest/globals';
import { RenewedValue } from '../../../src/kit/calls/renewed-value.ts';
import { createTestClock } from '../../support/test-clock.ts';

const minute = 60_000;

/** Values named by the attempt that made them, each good for an hour and renewed after half of it. */
function subject(options: { readonly withdraws?: (error: unknown) => boolean } = {}) {
  const clock = createTestClock();
  const state = {
    clock,
    attempts: 0,
    failure: undefined as Error | undefined,
    lifeMs: 60 * minute,
    values: new RenewedValue<string>({
      clock,
      renewAfterMs: (lifeMs) => lifeMs / 2,
      random: () => 0,
      obtain,
      ...options,
    }),
  };
  async function obtain() {
    state.attempts += 1;
    if (state.failure !== undefined) throw state.failure;
    return { value: `value ${state.attempts}`, expiresAt: clock.now() + state.lifeMs };
  }
  return state;
}

describe('a renewed value', () => {
  it('is obtained once for 10,000 who ask at the same time', async () => {
    const one = subject();
    const got = await Promise.all(Array.from({ length: 10_000 }, () => one.values.get()));
    expect(new Set(got)).toEqual(new Set(['value 1']));
    expect(one.attempts).toBe(1);
  });

  it('is renewed at its time without anyone asking again', async () => {
    const one = subject();
    await one.values.get();
    await one.clock.advance(30 * minute - 1);
    expect(one.attempts).toBe(1);
    await one.clock.advance(1);
    expect(one.attempts).toBe(2);
    expect(await one.values.get()).toBe('value 2');
  });

  it('is renewed no further when nobody wanted the last one, and at once when someone does', async () => {
    const one = subject();
    await one.values.get();
    await one.clock.advance(65 * minute);
    expect(one.attempts).toBe(2);
    expect(await one.values.get()).toBe('value 2');
    await one.clock.advance(0);
    expect(one.attempts).toBe(3);
  });

  it('is given out while renewing fails, until it ends and not a moment longer', async () => {
    const one = subject();
    await one.values.get();
    one.failure = new Error('down');
    await one.clock.advance(60 * minute - 1);
    expect(await one.values.get()).toBe('value 1');
    await one.clock.advance(1);
    await expect(one.values.get()).rejects.toThrow('down');
  });

  it('is tried for every ten to twenty seconds while renewing fails, however many ask', async () => {
    const one = subject();
    await one.values.get();
    one.failure = new Error('down');
    await one.clock.advance(30 * minute);
    const before = one.attempts;
    for (let second = 0; second < 60; second += 1) {
      await one.values.get();
      await one.clock.advance(1000);
    }
    expect(one.attempts - before).toBe(6);
  });

  it('is there again as soon as what failed is back', async () => {
    const one = subject();
    await one.values.get();
    one.failure = new Error('down');
    await one.clock.advance(40 * minute);
    one.failure = undefined;
    await one.clock.advance(20_000);
    expect(await one.values.get()).not.toBe('value 1');
  });

  it('is waited for anew when less than a minute is left of it', async () => {
    const one = subject();
    await one.values.get();
    one.failure = new Error('down');
    await one.clock.advance(59 * minute + 1000);
    one.failure = undefined;
    await one.clock.advance(10_000);
    expect(await one.values.get()).not.toBe('value 1');
  });

  it('is dropped by a failure that withdraws it', async () => {
    const one = subject({
      withdraws: (error) => error instanceof Error && error.message === 'denied',
    });
    await one.values.get();
    one.failure = new Error('denied');
    await one.clock.advance(30 * minute);
    await expect(one.values.get()).rejects.toThrow('denied');
  });

  it('is not asked for again after it was stopped, though an attempt was under way', async () => {
    const clock = createTestClock();
    const attempts: ((error: Error) => void)[] = [];
    const values = new RenewedValue<string>({
      clock,
      renewAfterMs: (lifeMs) => lifeMs / 2,
      obtain: () =>
        new Promise((resolve, reject) => {
          attempts.push(reject);
          if (attempts.length === 1)
            resolve({ value: 'one', expiresAt: clock.now() + 60 * minute });
        }),
    });
    await values.get();
    await clock.advance(30 * minute);
    expect(attempts).toHaveLength(2);
    values.stop();
    attempts[1]?.(new Error('stopped'));
    await clock.advance(29 * minute);
    expect(attempts).toHaveLength(2);
  });

  it('is discarded when it was refused, unless it is young or another one', async () => {
    const one = subject();
    await one.values.get();
    one.values.discard('value 1', 30_000);
    one.values.discard('value 0', 0);
    expect(await one.values.get()).toBe('value 1');
    await one.clock.advance(30_000);
    one.values.discard('value 1', 30_000);
    expect(await one.values.get()).toBe('value 2');
  });

  it('does not come back to life by a clock that is set back', async () => {
    const one = subject();
    let setBackMs = 0;
    const values = new RenewedValue<string>({
      clock: { ...one.clock, now: () => one.clock.now() - setBackMs },
      renewAfterMs: (lifeMs) => lifeMs / 2,
      obtain: async () => {
        one.attempts += 1;
        return { value: `value ${one.attempts}`, expiresAt: one.clock.now() + one.lifeMs };
      },
    });
    await values.get();
    values.stop();
    await one.clock.advance(61 * minute);
    setBackMs = 30 * minute;
    expect(await values.get()).toBe('value 2');
  });
});
