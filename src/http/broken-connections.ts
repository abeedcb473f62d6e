/**
 * What the parser's side and the request's side of one connection must know of each other, when the bytes of a
 * request cannot be read to their end.
 */

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { BrokerErrorCode } from '../core/errors.ts';

const refused = new WeakMap<Socket, BrokerErrorCode>();
const answered = new WeakMap<Socket, IncomingMessage>();

/** The connection ends with this code, whatever request of it is still being read. */
export function noteRefusal(socket: Socket, code: BrokerErrorCode): void {
  refused.set(socket, code);
}

export function refusalOf(socket: Socket): BrokerErrorCode | undefined {
  return refused.get(socket);
}

/** The request has its answer, perhaps before its body has arrived. */
export function noteAnswer(req: IncomingMessage): void {
  if (!req.complete) answered.set(req.socket, req);
}

/** A second answer to one request would be taken for that to the next one. */
export function isAnswered(socket: Socket): boolean {
  return answered.get(socket)?.complete === false;
}
