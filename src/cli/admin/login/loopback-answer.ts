/** The answer of an authorization server to this machine: one, by the loopback interface (RFC 8252 section 7.3). */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Clock } from '../../../kit/timing/clock.ts';

export interface ExpectedAnswer {
  /** That no other page of this browser can know. */
  readonly state: string;
  /** `iss` of the answer, if it has one (RFC 9207). */
  readonly issuer: string;
}

export type SignInAnswer =
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'refused'; readonly error: string };

export interface LoopbackListener {
  readonly redirectUri: string;
  /** The first answer that is to this request; what else comes is refused, and waited on no longer than `timeoutMs`. */
  answer(expected: ExpectedAnswer, timeoutMs: number): Promise<SignInAnswer | undefined>;
  close(): void;
}

/**
 * User pools take plain http for `localhost` alone, with the very port that is registered. Both addresses of that name are
 * listened on: on the one that was left free, somebody else's program would be answered.
 *
 * @throws the error of the system where the port is taken
 */
export async function listenForAnswer(port: number, clock: Clock): Promise<LoopbackListener> {
  let take: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) => refuse(res, 404);
  const servers: Server[] = [];
  const close = () => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  };
  try {
    for (const host of ['127.0.0.1', '::1']) {
      const server = createServer((req, res) => take(req, res));
      if (await listening(server, host, port)) servers.push(server);
    }
  } catch (error) {
    close();
    throw error;
  }
  const authority = `localhost:${port}`;
  return {
    redirectUri: `http://${authority}/callback`,
    close,
    answer(expected, timeoutMs) {
      return new Promise((resolve) => {
        const timer = clock.after(timeoutMs, () => resolve(undefined));
        take = (req, res) => {
          const answer = readAnswer(req, authority, expected);
          if (answer === undefined) return refuse(res, 400);
          take = (_req, late) => refuse(late, 409);
          timer.cancel();
          // Before the listener closes, or the browser shows an error to somebody who is signed in.
          res.once('close', () => resolve(answer));
          respond(
            res,
            200,
            'This is your answer. You can close this page, and go back to the terminal.',
          );
        };
      });
    },
  };
}

/** False where this machine does not have that address. */
function listening(server: Server, host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT';
      if (absent && host === '::1') resolve(false);
      else reject(error);
    });
    server.listen({ host, port, exclusive: true }, () => resolve(true));
  });
}

/** Undefined for whatever is no answer to what was asked: other pages of the browser can send requests here, too. */
function readAnswer(
  { method, url = '', headers }: IncomingMessage,
  authority: string,
  { state, issuer }: ExpectedAnswer,
): SignInAnswer | undefined {
  // A name of somebody else's that leads here is another origin.
  if (method !== 'GET' || headers.host !== authority || url.length > maxUrlLength) return undefined;
  // Not by parsing a URL: what is none would throw, and end the command (T352).
  const [path, query] = url.split('?', 2);
  const parameters = new URLSearchParams(query);
  const one = (name: string) => {
    const [value, another] = parameters.getAll(name);
    return another === undefined ? value : undefined;
  };
  if (path !== '/callback' || one('state') !== state) return undefined;
  if (parameters.has('iss') && one('iss') !== issuer) return undefined;
  const [code, error] = [one('code'), one('error')];
  if (code !== undefined && error === undefined) return { kind: 'code', code };
  return error !== undefined && code === undefined ? { kind: 'refused', error } : undefined;
}

const maxUrlLength = 8 * 1024;

function refuse(res: ServerResponse, status: number): void {
  respond(res, status, 'This is not the answer that a sign-in on this machine waits for.');
}

function respond(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    connection: 'close',
  });
  res.end(`${text}\n`);
}
