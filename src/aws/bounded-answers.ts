/** No answer of a service that this program asks is large; the SDK would hold one of any size. */

/** An answer of AssumeRoleWithWebIdentity has about 2 KiB, and STS promises no limit for its session token. */
export const maxAnswerBytes = 64 * 1024;

/** A `streamCollector` for SDK clients. @throws AnswerTooLarge */
export function collectBounded(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return collectUpTo(stream, maxAnswerBytes);
}

/** The same for what is as large as that. @throws AnswerTooLarge */
export async function collectUpTo(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop early destroys the stream, and with it the socket.
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > maxBytes) {
      throw Object.assign(new Error('the answer is too large'), { name: 'AnswerTooLarge' });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
