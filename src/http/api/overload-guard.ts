/**
 * The door of the api listener, ahead of everything else: when the service has more to do than it can, requests
 * are refused here with an answer that is as good as ready. They are counted, and not recorded otherwise.
 */

import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import { callerKey } from '../../core/caller.ts';
import { BrokerError } from '../../core/errors.ts';
import type { KnownTokens } from '../../core/ports.ts';
import { addressBlock } from '../../kit/net/address-block.ts';
import { bodyText, endWith } from '../body-text.ts';
import { noteAnswer } from '../broken-connections.ts';
import type { ClientIp } from '../client-ip.ts';
import type { FormFinder } from '../forms/form-finder.ts';
import { sendProblem } from '../problem.ts';
import { problemText } from '../problem-document.ts';
import { responseHeaders } from '../response-headers.ts';

export interface OverloadGuardOptions {
  /** Requests being answered. */
  readonly inFlight: { readonly requests: number };
  readonly maxInFlight: () => number;
  readonly shedder: Shedder;
  /** Tells askers apart. */
  readonly tokens: KnownTokens;
  readonly clientIp: ClientIp;
  /** By which an answer is printed as the route of the request would print it. */
  readonly formOf: FormFinder;
  readonly onRefused: (limit: 'in_flight' | 'event_loop') => void;
}

export interface Shedder {
  readonly shedding: boolean;
  /** To be asked once per request while shedding. */
  admits(asker: string): boolean;
}

/** True if the request was refused and answered. */
export type OverloadGuard = (req: Request, res: Response) => boolean;

export function overloadGuard(options: OverloadGuardOptions): OverloadGuard {
  const { inFlight, maxInFlight, shedder, tokens, clientIp, formOf, onRefused } = options;
  return function refuses(req, res) {
    if (inFlight.requests >= maxInFlight()) onRefused('in_flight');
    else if (shedder.shedding && !shedder.admits(askerOf(req, tokens, clientIp)))
      onRefused('event_loop');
    else return false;
    sendOverloaded(req, res, formOf);
    return true;
  };
}

/**
 * The principal, if its token is known. All others of one address count as one: tokens made up for the purpose
 * must not look like many callers.
 */
function askerOf({ headers, socket }: Request, tokens: KnownTokens, clientIp: ClientIp): string {
  const { authorization = '', 'x-forwarded-for': forwardedFor } = headers;
  const caller = tokens.recall(authorization.slice(authorization.lastIndexOf(' ') + 1));
  if (caller !== undefined) return callerKey(caller);
  const peer = socket.remoteAddress;
  if (peer === undefined) return '';
  return addressBlock(
    clientIp(peer, typeof forwardedFor === 'string' ? forwardedFor : undefined).sourceIp,
  );
}

const overloaded = Object.freeze(
  new BrokerError('overloaded', {
    detail:
      'The service has more requests than it can answer. Try again after the time in Retry-After.',
  }),
);
const headersBeforeId: readonly string[] = [
  'Retry-After',
  String(overloaded.retryAfterSeconds),
  'Content-Type',
  'application/problem+json',
  'Content-Length',
  String(problemText(overloaded, randomUUID()).length),
  'X-Request-Id',
];

function sendOverloaded(req: Request, res: Response, formOf: FormFinder): void {
  const requestId = randomUUID();
  // Nobody has checked that the message ends where a proxy in front thinks it does.
  if (!isPlainlyFramed(req)) res.shouldKeepAlive = false;
  const { sendError = sendProblem } = formOf(req.method, req.url) ?? {};
  if (sendError !== sendProblem) {
    sendError(res, overloaded, requestId);
  } else {
    noteAnswer(req);
    res.writeHead(overloaded.status, [
      ...responseHeaders(req.socket),
      ...headersBeforeId,
      requestId,
    ]);
    endWith(res, bodyText(problemText(overloaded, requestId)));
  }
}

function isPlainlyFramed({ method, headers, httpVersion }: Request): boolean {
  if (httpVersion !== '1.1' || headers['transfer-encoding'] !== undefined) return false;
  return method === 'POST' || headers['content-length'] === undefined;
}
