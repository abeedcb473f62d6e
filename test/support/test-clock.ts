import type { Clock, Timer } from '../../src/kit/timing/clock.ts';

export interface TestClock extends Clock {
  /**
   * Moves time forward by `ms` and fires the timers that fall due, in order of their due time and then of
   * their creation. Each timer sees `now()` at its own due time, and everything it started gets a turn of the
   * event loop before the next one fires. Calls made while another is running wait for it.
   */
  advance(ms: number): Promise<void>;
}

interface PendingTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until told otherwise. `startMs` is epoch milliseconds. */
export function createTestClock(startMs = Date.UTC(2026, 0, 15, 12, 0, 0)): TestClock {
  const pending = new Set<PendingTimer>();
  let elapsedMs = 0;
  let created = 0;
  let queue: Promise<void> = Promise.resolve();

  async function run(ms: number): Promise<void> {
    const targetMs = elapsedMs + ms;
    // Work started just before this call may still be about to set its timer.
    await turnOfTheEventLoop();
    for (let next = earliest(pending, targetMs); next; next = earliest(pending, targetMs)) {
      pending.delete(next);
      elapsedMs = Math.max(elapsedMs, next.dueMs);
      next.callback();
      await turnOfTheEventLoop();
    }
    elapsedMs = targetMs;
  }

  return {
    now: () => startMs + elapsedMs,
    monotonic: () => elapsedMs,
    after(delayMs: number, callback: () => void): Timer {
      const timer = { dueMs: elapsedMs + Math.max(0, delayMs), order: created++, callback };
      pending.add(timer);
      return { cancel: () => void pending.delete(timer) };
    },
    advance(ms: number): Promise<void> {
      if (!(ms >= 0)) throw new RangeError('a clock only moves forward');
      const done = queue.then(() => run(ms));
      queue = done.catch(() => {});
      return done;
    },
  };
}

function earliest(timers: Iterable<PendingTimer>, untilMs: number): PendingTimer | undefined {
  let found: PendingTimer | undefined;
  for (const timer of timers) {
    if (timer.dueMs > untilMs) continue;
    const sooner = !found || timer.dueMs < found.dueMs;
    if (sooner || (timer.dueMs === found?.dueMs && timer.order < found.order)) found = timer;
  }
  return found;
}

function turnOfTheEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
