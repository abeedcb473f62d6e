/** dynalite, which keeps the items, and the way to talk to it. */

import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:http';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { listenOnLoopback } from '../loopback-http.ts';
import type { Answer, RawAnswer } from './dynamodb-wire.ts';
import { DynamoDbError } from './dynamodb-wire.ts';

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Store {
  /** Hands a request on as it is. */
  forward(raw: RawRequest): Promise<RawAnswer>;
  /** Runs an operation of the server's own; throws a DynamoDbError with the store's answer unless that is 200. */
  call(operation: string, input: object): Promise<Answer['body']>;
  stop(): Promise<void>;
}

const deadlineMs = 30_000;
/** These speak of one connection, not of the request. */
const hopByHop = new Set(['connection', 'content-length', 'expect', 'host', 'transfer-encoding']);
const instantTables = { createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 };

/** Starts dynalite in memory, or on the LevelDB folder `path`. */
export async function startStore(path: string | undefined): Promise<Store> {
  // Loaded where it is needed: it takes half a second.
  const { default: dynalite } = await import('dynalite');
  const server = dynalite(path === undefined ? instantTables : { ...instantTables, path });
  server.prependListener('request', surviveDisconnect);
  const origin = await listenOnLoopback(server);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  function forward({ method, path: target, headers, body }: RawRequest): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      const { signal, release } = systemClock.deadline(deadlineMs);
      const outgoing = { ...endToEnd(headers), 'content-length': body.length };
      const req = request(`${origin}${target}`, { method, headers: outgoing, agent, signal });
      req.on('error', reject);
      req.on('close', release);
      req.on('response', (res) => void collect(res).then(resolve, reject));
      req.end(body);
    });
  }

  async function call(operation: string, input: object): Promise<Answer['body']> {
    const raw = await forward({
      method: 'POST',
      path: '/',
      headers: ownHeaders(operation),
      body: Buffer.from(JSON.stringify(input)),
    });
    const body = JSON.parse(raw.body.toString('utf8')) as Answer['body'];
    if (raw.status !== 200) throw new DynamoDbError({ status: raw.status, body });
    return body;
  }

  return {
    forward,
    call,
    async stop() {
      agent.destroy();
      await new Promise<void>((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
      });
    },
  };
}

/** dynalite throws from the `error` event of a request, which ends the process when a client disconnects. */
function surviveDisconnect(req: IncomingMessage): void {
  process.nextTick(() => {
    req.removeAllListeners('error');
    req.on('error', () => {});
  });
}

async function collect(res: IncomingMessage): Promise<RawAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of res) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const headers = { ...endToEnd(res.headers), 'content-length': body.length };
  return { status: res.statusCode ?? 500, headers, body };
}

function endToEnd(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name)));
}

/** dynalite wants the form of a signature and never looks at it. */
function ownHeaders(operation: string): IncomingHttpHeaders {
  return {
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': `DynamoDB_20120810.${operation}`,
    'x-amz-date': '20260101T000000Z',
    authorization: 'AWS4-HMAC-SHA256 Credential=local, SignedHeaders=host, Signature=none',
  };
}
