/**
 * The id under which CloudTrail knows a call. STS gives it in a header and in the document; the SDK reads the header alone,
 * and proxies that pass known headers only take it away. What is not read as an id is none: nothing is decided by it.
 */

import type { STSClient } from '@aws-sdk/client-sts';
import { isJsonObject } from '../kit/json/json-object.ts';

const idPattern = /^[A-Za-z0-9_-]{1,128}$/;
/** `ResponseMetadata` of a result has it, and an `ErrorResponse`. Values in the document are escaped, so none passes for it. */
const elementPattern = /<RequestId>\s*([A-Za-z0-9_-]{1,128})\s*<\/RequestId>/;
/** Those that the SDK looks at, in its order. */
const headerNames = ['x-amzn-requestid', 'x-amzn-request-id', 'x-amz-request-id'] as const;

/** The id if it is one: it goes into the audit record, and everything in an answer is untrusted. */
export function requestIdIn(value: unknown): string | undefined {
  return typeof value === 'string' && idPattern.test(value) ? value : undefined;
}

/** Makes the SDK see the id of the document where the header has none. */
export function readRequestIdsOfDocuments({ middlewareStack }: STSClient): void {
  middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { response } = result;
      if (isAnswer(response) && !headerNames.some((name) => requestIdIn(response.headers[name]))) {
        response.body = noting(response.body, (id) => {
          response.headers[headerNames[0]] = id;
        });
      }
      return result;
    },
    // Next to the network: the SDK reads the headers once more when it has read the document.
    { name: 'readRequestIdsOfDocuments', step: 'deserialize', priority: 'low' },
  );
}

interface Answer {
  readonly headers: Record<string, string>;
  body: AsyncIterable<Uint8Array>;
}

function isAnswer(response: unknown): response is Answer {
  const { headers, body } = response as { headers?: unknown; body?: unknown };
  return (
    isJsonObject(headers) &&
    typeof body === 'object' &&
    body !== null &&
    Symbol.asyncIterator in body
  );
}

/** The same bytes. Whoever reads them bounds them, and leaves early if they are too many. */
async function* noting(
  body: AsyncIterable<Uint8Array>,
  onId: (id: string) => void,
): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) {
    chunks.push(chunk);
    yield chunk;
  }
  const id = elementPattern.exec(Buffer.concat(chunks).toString())?.[1];
  if (id !== undefined) onId(id);
}
