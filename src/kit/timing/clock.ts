import { type Deadline, startDeadline } from './deadline.ts';

/** Time as an argument: everything that waits or compares instants takes one of these. */

/** A cancellable timer. Cancelling twice, or after it fired, is harmless. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall-clock time, epoch milliseconds: for instants that other parties write down (exp, Expiration). */
  now(): number;
  /** Monotonic milliseconds from an arbitrary origin: for measuring how long something took. */
  monotonic(): number;
  /** Calls `callback` once after `delayMs`. Never keeps the process alive by itself. */
  after(delayMs: number, callback: () => void): Timer;
  /** A signal that aborts after `timeoutMs`, or before once `givenUp` does. Whoever sets it releases it. */
  deadline(timeoutMs: number, givenUp?: AbortSignal): Deadline;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: afterRealTime,
  deadline: (timeoutMs, givenUp) => startDeadline(afterWhatHasArrived, timeoutMs, givenUp),
};

function afterRealTime(delayMs: number, callback: () => void): Timer {
  const handle = setTimeout(callback, delayMs);
  handle.unref();
  return { cancel: () => clearTimeout(handle) };
}

/**
 * Timers come first when a process goes on that stood still, before what has arrived meanwhile is read: an answer that was there in
 * time would be late, with all others that were under way.
 */
function afterWhatHasArrived(delayMs: number, callback: () => void): Timer {
  let last: NodeJS.Immediate | undefined;
  const first = afterRealTime(delayMs, () => {
    last = setImmediate(callback);
  });
  return {
    cancel() {
      first.cancel();
      clearImmediate(last);
    },
  };
}

/** Epoch milliseconds → RFC 3339 in UTC with whole seconds and `Z`, the only form every AWS SDK accepts. */
export function toRfc3339(epochMs: number): string {
  return `${new Date(Math.floor(epochMs / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

/** Whether it is in the form of `toRfc3339`, and exists: Date.parse reads 30 February as 2 March. */
export function isRfc3339(text: string): boolean {
  const epochMs = rfc3339Form.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(epochMs) && toRfc3339(epochMs) === text;
}

export const rfc3339Form = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
