import type { Clock } from '../timing/clock.ts';
import { withDeadline } from '../timing/with-deadline.ts';
import { directRoute } from './direct-route.ts';

export interface BoundedRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly clock: Clock;
  /** For the whole exchange, from the connection to the last byte. */
  readonly timeoutMs: number;
  /** Of the body, after decompression. */
  readonly maxBytes: number;
  /** Ends the exchange before its time. */
  readonly givenUp?: AbortSignal | undefined;
}

export interface BoundedAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined if it is larger than was allowed. */
  readonly body: Uint8Array | undefined;
}

/** Why there is no answer. The message holds nothing of the request but how long it could take. */
export class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError';
  readonly reason: 'timeout' | 'redirect' | 'unreachable';

  constructor(reason: NoAnswerError['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/**
 * One try, whatever status it ends with. A redirect is a failure: it would take a secret elsewhere, and a key set from
 * elsewhere. So would a proxy what is not encrypted.
 *
 * @throws NoAnswerError, or the reason of `givenUp` once that is aborted.
 */
export async function boundedFetch(
  url: string | URL,
  { clock, timeoutMs, maxBytes, givenUp, ...init }: BoundedRequest,
): Promise<BoundedAnswer> {
  try {
    return await withDeadline({ clock, timeoutMs, givenUp }, async (signal) => {
      const response = await fetch(url, {
        ...init,
        ...directRoute(url),
        redirect: 'error',
        signal,
      });
      const body = await readBoundedBody(response, { maxBytes, signal });
      return { status: response.status, headers: response.headers, body };
    });
  } catch (error) {
    givenUp?.throwIfAborted();
    throw noAnswer(error, timeoutMs);
  }
}

/** Undici says "fetch failed", or repeats a header that it refuses, and keeps what failed in the cause. */
function noAnswer(error: unknown, timeoutMs: number): NoAnswerError {
  const { name, cause } = error as Error;
  if (name === 'TimeoutError') {
    return new NoAnswerError('timeout', `no answer within ${timeoutMs / 1000} s`);
  }
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown };
  if (message === 'unexpected redirect') return new NoAnswerError('redirect', 'it redirects');
  const known = typeof code === 'string' ? code : 'no connection';
  return new NoAnswerError('unreachable', known, cause);
}

/**
 * Giving the signal to fetch is not enough: once there is a response, fetch of Node 20 holds on to it so weakly
 * that after a garbage collection a body may stall as long as it likes.
 */
async function readBoundedBody(
  response: Response,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
): Promise<Uint8Array | undefined> {
  const reader = response.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const cancel = () => void reader.cancel().catch(() => {});
  signal.addEventListener('abort', cancel, { once: true });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    signal.throwIfAborted();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      size += part.value.byteLength;
      if (size > maxBytes) return undefined;
      chunks.push(part.value);
    }
    // Reading what was cancelled ends as if the body did.
    signal.throwIfAborted();
    return Buffer.concat(chunks, size);
  } finally {
    signal.removeEventListener('abort', cancel);
    // Without effect on a body that was read to its end.
    cancel();
  }
}
