import type { Clock } from './clock.ts';
import { orAborted } from './or-aborted.ts';

export interface DeadlineLimits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Ends the work before its time. */
  readonly givenUp?: AbortSignal | undefined;
}

/**
 * The outcome of `work`, which gets a signal, unless the deadline passes or it is given up before; then the reason of
 * the signal, whether the work heeds it or not.
 */
export async function withDeadline<Value>(
  { clock, timeoutMs, givenUp }: DeadlineLimits,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const { signal, release } = clock.deadline(timeoutMs, givenUp);
  try {
    return await orAborted(work(signal), signal);
  } finally {
    release();
  }
}
