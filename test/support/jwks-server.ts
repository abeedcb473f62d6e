import { createServer, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback, staysOpen } from '../../emulators/loopback-http.ts';
import type { TestKey } from './tokens.ts';

export type JwksFault =
  /** Never answers, until the fault is lifted. */
  | { readonly kind: 'hang' }
  /** The keys, under a status that is no success. */
  | { readonly kind: 'status'; readonly status: number }
  /** The keys, followed by blanks. */
  | { readonly kind: 'padded'; readonly blanks: number }
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'body'; readonly body: string | Uint8Array }
  /** The connection ends before the announced length. */
  | { readonly kind: 'truncated' }
  /** Valid so far, piece by piece, without end. */
  | { readonly kind: 'endless' }
  /** Drops the connection. */
  | { readonly kind: 'reset' };

export interface JwksServer {
  readonly jwksUri: string;
  /** How many requests have arrived. */
  readonly requests: number;
  /** Answers those that hang, with the keys as they are then. */
  fault: JwksFault | undefined;
  publish(...keys: readonly TestKey[]): void;
  stop(): Promise<void>;
}

/** Publishes keys on loopback, on every path. */
export async function startJwksServer(...initial: readonly TestKey[]): Promise<JwksServer> {
  let keys = initial;
  let fault: JwksFault | undefined;
  let requests = 0;
  const waiting = new Set<ServerResponse>();
  const document = () => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
  const server = createServer(staysOpen, (_req, res) => {
    requests += 1;
    if (fault === undefined) res.end(document());
    else if (fault.kind === 'hang') waiting.add(res);
    else misbehave(res, fault, document());
  });
  const origin = await listenOnLoopback(server);
  return {
    jwksUri: `${origin}/.well-known/jwks.json`,
    get requests() {
      return requests;
    },
    get fault() {
      return fault;
    },
    set fault(value) {
      fault = value;
      for (const res of waiting) res.end(document());
      waiting.clear();
    },
    publish(...next) {
      keys = next;
    },
    stop: () => closeServer(server),
  };
}

function misbehave(
  res: ServerResponse,
  fault: Exclude<JwksFault, { kind: 'hang' }>,
  document: string,
): void {
  switch (fault.kind) {
    case 'status':
      res.writeHead(fault.status).end(document);
      break;
    case 'padded':
      res.end(document + ' '.repeat(fault.blanks));
      break;
    case 'redirect':
      res.writeHead(302, { location: fault.location }).end();
      break;
    case 'body':
      res.end(fault.body);
      break;
    case 'truncated':
      res.writeHead(200, { 'content-length': 4096 });
      res.write('{"keys":[', () => res.destroy());
      break;
    case 'endless':
      writeForEver(res);
      break;
    case 'reset':
      res.destroy();
      break;
  }
}

function writeForEver(res: ServerResponse): void {
  if (res.destroyed) return;
  res.write(`{"keys":[]}${' '.repeat(4096)}`, () => setImmediate(writeForEver, res));
}
