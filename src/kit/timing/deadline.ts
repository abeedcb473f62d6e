import { whenAborted } from './when-aborted.ts';

/** Time that work has. Whoever set it releases it when the work is done. */
export interface Deadline {
  /** Aborted with a `TimeoutError` when the time is up, or with the reason for which it was given up before. */
  readonly signal: AbortSignal;
  /** Afterwards it never aborts, and nothing holds on to it. */
  release(): void;
}

/**
 * A deadline on that clock. `givenUp` ends it before its time.
 *
 * Not `AbortSignal.timeout`, which is real time that no test can move, and which fetch of Node 20 holds so weakly that
 * a garbage collection may take the deadline away; this one is held by its timer. Not `AbortSignal.any` either: on
 * Node 20 that keeps one entry for each call as long as `givenUp` lives.
 */
export function startDeadline(
  after: (delayMs: number, callback: () => void) => { cancel(): void },
  timeoutMs: number,
  givenUp?: AbortSignal,
): Deadline {
  const ending = new AbortController();
  let forget = () => {};
  const timer = after(timeoutMs, () => {
    ending.abort(new DOMException('ended by its timeout', 'TimeoutError'));
  });
  const release = () => {
    timer.cancel();
    forget();
  };
  ending.signal.addEventListener('abort', release, { once: true });
  if (givenUp !== undefined) forget = whenAborted(givenUp, () => ending.abort(givenUp.reason));
  return { signal: ending.signal, release };
}
