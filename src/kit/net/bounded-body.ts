export interface BodyLimits {
  /** After decompression. */
  readonly maxBytes: number;
  /** The one that fetch was given. */
  readonly signal: AbortSignal;
}

/**
 * The whole body, or undefined as soon as it is larger. Rejects once the signal is aborted.
 *
 * Giving the signal to fetch is not enough: once there is a response, fetch of Node 20 holds on to it so weakly
 * that after a garbage collection a body may stall as long as it likes.
 */
export async function readBoundedBody(
  response: Response,
  { maxBytes, signal }: BodyLimits,
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
