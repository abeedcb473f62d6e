/** A server on loopback that answers as a test says, for what no broker of ours would say. */

import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { closeServer, listenOnLoopback, staysOpen } from '../../emulators/loopback-http.ts';

export interface OddBroker {
  readonly url: string;
  /** Those that came in so far. */
  readonly requests: readonly IncomingMessage[];
  stop(): Promise<void>;
}

export async function startOddBroker(answer: RequestListener): Promise<OddBroker> {
  const requests: IncomingMessage[] = [];
  const server = createServer(staysOpen, (req, res) => {
    requests.push(req);
    answer(req, res);
  });
  return {
    url: await listenOnLoopback(server),
    requests,
    stop: () => closeServer(server),
  };
}

/** Answers every request with that JSON. */
export function answering(
  status: number,
  document: unknown,
  headers: Readonly<Record<string, string>> = {},
): RequestListener {
  return (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers });
    res.end(JSON.stringify(document));
  };
}

/** What a broker says when all is well. */
export function issuedDocument(expiration = new Date(Date.now() + 3_600_000)) {
  return {
    credentials: {
      accessKeyId: 'ASIAODDBROKEREXAMPLE',
      secretAccessKey: 'odd-broker-secret-access-key-0000000000',
      sessionToken: 'odd-broker-session-token-000000000000000',
      expiration: `${expiration.toISOString().slice(0, 19)}Z`,
    },
    assumedRole: {
      arn: 'arn:aws:sts::123456789012:assumed-role/orders/session',
      id: 'AROAODDBROKER:session',
    },
    mapping: 'orders',
    role: 'arn:aws:iam::123456789012:role/broker/orders',
  };
}
