import { TokenRequestError } from '../identity/token-request-error.ts';
import { backoffMs } from '../kit/timing/backoff.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { orAborted } from '../kit/timing/or-aborted.ts';
import { sleep } from '../kit/timing/sleep.ts';
import { TokenBrokerError } from './broker-client.ts';

export interface RetryOptions {
  readonly clock: Clock;
  /** No pause goes beyond it. */
  readonly timeoutMs: number;
  /** Ends a pause. */
  readonly signal: AbortSignal;
}

/**
 * Tries up to three times what may succeed when it is tried again. Between tries it waits as long as the other
 * side asked for, or a tenth of a second and then two, and up to a quarter more so that many do not come at once.
 */
export async function withRetries<Result>(
  attempt: () => Promise<Result>,
  { clock, timeoutMs, signal }: RetryOptions,
): Promise<Result> {
  const endsAt = clock.monotonic() + timeoutMs;
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || tries === maxTries || !isRetryable(error)) throw error;
      const pauseMs = pauseAfter(error, tries) * (1 + Math.random() / 4);
      if (clock.monotonic() + pauseMs >= endsAt) throw error;
      await orAborted(sleep(clock, pauseMs), signal);
    }
  }
}

const maxTries = 3;
const pauses = { baseMs: 100, capMs: 1_000 };

function isRetryable(error: unknown): boolean {
  return (
    (error instanceof TokenBrokerError || error instanceof TokenRequestError) && error.retryable
  );
}

function pauseAfter(error: unknown, tries: number): number {
  const seconds = error instanceof TokenBrokerError ? error.retryAfterSeconds : undefined;
  return seconds === undefined ? backoffMs(tries - 1, pauses) : seconds * 1000;
}
