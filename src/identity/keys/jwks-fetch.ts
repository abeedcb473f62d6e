import { readBoundedBody } from '../../kit/net/bounded-body.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { withDeadline } from '../../kit/timing/with-deadline.ts';

export interface JwksFetchLimits {
  readonly clock: Clock;
  /** For the whole exchange, from the connection to the last byte. */
  readonly timeoutMs: number;
  /** Of the body, after decompression. */
  readonly maxBytes: number;
  /** Ends the exchange before its time. */
  readonly givenUp: AbortSignal;
}

/** One try, no redirects. Rejects unless the answer is 200 and arrives whole within the limits. */
export function fetchJwks(
  uri: string,
  { clock, timeoutMs, maxBytes, givenUp }: JwksFetchLimits,
): Promise<Uint8Array> {
  return withDeadline({ clock, timeoutMs, givenUp }, async (signal) => {
    const response = await fetch(uri, {
      redirect: 'error',
      headers: { accept: 'application/json' },
      signal,
    });
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel();
      throw new Error(`the JWKS URI answered with status ${response.status}`);
    }
    const body = await readBoundedBody(response, { maxBytes, signal });
    if (body === undefined) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    return body;
  });
}
