/** What the servers of the local stack share: loopback only, bounded bodies, a prompt end. */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Connections are not closed for being idle: that is real time, and a request on its way then fails. */
export const staysOpen = { keepAliveTimeout: 0 } as const;

/**
 * Listens and returns the origin (`http://127.0.0.1:49152`). There is no choice of address: these servers hand
 * out tokens and take any credentials, so nothing outside this machine may reach them. Port 0 is any free one.
 */
export async function listenOnLoopback(server: Server, port = 0): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Stops listening and cuts every connection, also those that a fault left hanging. */
export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

export type Body =
  | { readonly kind: 'complete'; readonly bytes: Buffer }
  | { readonly kind: 'too_large' }
  | { readonly kind: 'disconnected' };

/** Reads a whole request body; never throws, never holds more than `maxBytes` and one chunk. */
export async function readBody(req: IncomingMessage, maxBytes: number): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // The socket has to outlive an early return: a 413 still goes out on it.
    for await (const chunk of req.iterator({ destroyOnReturn: false })) {
      size += (chunk as Buffer).length;
      if (size > maxBytes) return { kind: 'too_large' };
      chunks.push(chunk as Buffer);
    }
  } catch {
    return { kind: 'disconnected' };
  }
  return { kind: 'complete', bytes: Buffer.concat(chunks, size) };
}

/**
 * True for requests that a web page made: but for the pages that somebody signs in by, such a request can only be some
 * page trying to reach into the developer's machine (cross-site forms, DNS rebinding).
 */
export function comesFromBrowser(req: IncomingMessage): boolean {
  return req.headers.origin !== undefined;
}

export function answerJson(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = Buffer.from(JSON.stringify(body));
  res.writeHead(status, {
    'content-type': 'application/json;charset=UTF-8',
    'content-length': text.length,
    ...headers,
  });
  res.end(text);
}
