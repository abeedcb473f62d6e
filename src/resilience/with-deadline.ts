import { orAborted } from './or-aborted.ts';

export interface Deadline {
  readonly timeoutMs: number;
  /** Ends the work before its time. */
  readonly givenUp: AbortSignal;
}

/**
 * The outcome of `work`, which gets a signal, unless the deadline passes or it is given up before; then the reason of
 * the signal, whether the work heeds it or not. Real time: it is about other machines.
 *
 * Not `AbortSignal.any`: on Node 20 that keeps one entry for each call as long as `givenUp` lives.
 */
export async function withDeadline<Value>(
  { timeoutMs, givenUp }: Deadline,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const ending = new AbortController();
  const giveUp = () => ending.abort(givenUp.reason);
  const tooLate = () => ending.abort(new DOMException('ended by its timeout', 'TimeoutError'));
  const timer = setTimeout(tooLate, timeoutMs).unref();
  if (givenUp.aborted) giveUp();
  else givenUp.addEventListener('abort', giveUp, { once: true });
  try {
    return await orAborted(work(ending.signal), ending.signal);
  } finally {
    clearTimeout(timer);
    givenUp.removeEventListener('abort', giveUp);
  }
}
