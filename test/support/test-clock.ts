import type { Clock, Timer } from '../../src/kit/timing/clock.ts';
import { startDeadline } from '../../src/kit/timing/deadline.ts';

export interface TestClock extends Clock {
  /**
   * Moves time forward by `ms` and fires the timers that fall due, in order of their due time and then of
   * their creation. Each timer sees `now()` at its own due time, and everything it started gets a turn of the
   * event loop before the next one fires. Calls made while another is running wait for it.
   *
   * Real work takes no time of this clock, however busy the machine is: where a deadline falls due, it waits for the
   * work to end. Work that never ends needs `expireDeadlines`.
   */
  advance(ms: number): Promise<void>;
  /** Time passes while the process stands still: what fell due meanwhile fires afterwards, once. */
  jump(ms: number): Promise<void>;
  /** Waits until a deadline is running, moves time to where all that run are over, and aborts them. */
  expireDeadlines(): Promise<void>;
  /** Lets time pass until this work ends, which waits for something that never comes. */
  outlast<T>(work: Promise<T>): Promise<T>;
  /** Deadlines that are neither over nor released. */
  readonly deadlines: number;
}

interface PendingTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly ofDeadline: boolean;
  readonly callback: () => void;
}

/** A clock that stands still until told otherwise. `startMs` is epoch milliseconds. */
export function createTestClock(startMs = Date.UTC(2026, 0, 15, 12, 0, 0)): TestClock {
  const pending = new Set<PendingTimer>();
  let elapsedMs = 0;
  let created = 0;
  let queue: Promise<void> = Promise.resolve();

  async function run(targetMs: number, deadlinesPass: boolean): Promise<void> {
    // Work started just before this call may still be about to set its timer.
    await turnOfTheEventLoop();
    for (let next = earliest(pending, targetMs); next; next = earliest(pending, targetMs)) {
      if (!next.ofDeadline || deadlinesPass) {
        pending.delete(next);
        elapsedMs = Math.max(elapsedMs, next.dueMs);
        next.callback();
      }
      await turnOfTheEventLoop();
    }
    elapsedMs = targetMs;
  }

  async function expire(): Promise<void> {
    while (!deadlines().length) await turnOfTheEventLoop();
    await run(lastDeadline(), true);
  }

  /** To where all deadlines are over; where none is running, a little on. */
  function moveOn(): Promise<void> {
    if (deadlines().length > 0) return run(lastDeadline(), true);
    elapsedMs += 1;
    return run(elapsedMs, true);
  }

  function lastDeadline(): number {
    return Math.max(...deadlines().map(({ dueMs }) => dueMs));
  }

  function deadlines(): PendingTimer[] {
    return [...pending].filter(({ ofDeadline }) => ofDeadline);
  }

  function enqueue(work: () => Promise<void>): Promise<void> {
    const done = queue.then(work);
    queue = done.catch(() => {});
    return done;
  }

  function set(delayMs: number, callback: () => void, ofDeadline: boolean): Timer {
    const dueMs = elapsedMs + Math.max(0, delayMs);
    const timer = { dueMs, order: created++, callback, ofDeadline };
    pending.add(timer);
    return { cancel: () => void pending.delete(timer) };
  }

  function jump(ms: number): Promise<void> {
    return enqueue(() => {
      elapsedMs += ms;
      return run(elapsedMs, true);
    });
  }

  return {
    now: () => startMs + elapsedMs,
    monotonic: () => elapsedMs,
    after: (delayMs, callback) => set(delayMs, callback, false),
    deadline: (timeoutMs, givenUp) =>
      startDeadline((delayMs, callback) => set(delayMs, callback, true), timeoutMs, givenUp),
    get deadlines() {
      return deadlines().length;
    },
    advance(ms: number): Promise<void> {
      if (!(ms >= 0)) throw new RangeError('a clock only moves forward');
      return enqueue(() => run(elapsedMs + ms, false));
    },
    jump,
    expireDeadlines: () => enqueue(expire),
    async outlast(work) {
      let ended = false;
      const end = () => {
        ended = true;
      };
      work.then(end, end);
      while (!ended) await enqueue(moveOn);
      return work;
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
