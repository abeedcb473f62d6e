/** Errors as answers: with problem details (RFC 9457), and bearer-token challenges (RFC 6750 section 3, RFC 9470 section 3). */

import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Response } from 'express';
import type { BrokerError, RateLimit } from '../core/errors.ts';
import { errorCodes } from '../core/errors.ts';
import { bodyText, endWith } from './body-text.ts';
import { noteAnswer } from './broken-connections.ts';
import { problemText } from './problem-document.ts';
import { responseHeaders } from './response-headers.ts';

export function sendProblem(res: Response, error: BrokerError, requestId: string): void {
  const text = problemText(error, requestId);
  sendErrorText(res, error, requestId, { contentType: 'application/problem+json', text });
}

export interface ErrorText {
  readonly contentType: string;
  readonly text: string;
}

/** An error in the shape of its wire form, with the headers that errors have in all of them. */
export function sendErrorText(
  res: Response,
  error: BrokerError,
  requestId: string,
  { contentType, text }: ErrorText,
): void {
  // Where one message ends and the next begins is in doubt: do not read on.
  if (error.code === 'request_malformed') res.shouldKeepAlive = false;
  noteAnswer(res.req);
  const body = bodyText(text);
  res.writeHead(error.status, [
    ...responseHeaders(res.socket),
    ...extraHeaders(error),
    'X-Request-Id',
    requestId,
    'Content-Type',
    contentType,
    'Content-Length',
    String(body.bytes),
  ]);
  endWith(res, body);
}

/** The whole answer as it goes over the wire, for connections that never became a request. */
export function rawProblem(error: BrokerError, socket: Socket | null): string {
  const requestId = randomUUID();
  const body = problemText(error, requestId);
  const headers = [
    ...responseHeaders(socket),
    'X-Request-Id',
    requestId,
    'Content-Type',
    'application/problem+json',
    'Content-Length',
    String(Buffer.byteLength(body)),
    'Connection',
    'close',
  ];
  let head = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}\r\n`;
  for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return `${head}\r\n${body}`;
}

function extraHeaders(error: BrokerError): string[] {
  const headers: string[] = [];
  const challenge = challengeOf(error);
  if (challenge !== undefined) headers.push('WWW-Authenticate', challenge);
  if (error.retryAfterSeconds !== undefined) {
    headers.push('Retry-After', String(error.retryAfterSeconds));
  }
  if (error.rateLimit !== undefined) headers.push(...rateLimitHeaders(error, error.rateLimit));
  if (error.allow !== undefined) headers.push('Allow', error.allow.join(', '));
  return headers;
}

/** draft-ietf-httpapi-ratelimit-headers-10: nothing remains, and when there will be something again. */
function rateLimitHeaders(
  { retryAfterSeconds }: BrokerError,
  { policy, quota, windowSeconds }: RateLimit,
): string[] {
  return [
    'RateLimit-Policy',
    `"${policy}";q=${quota};w=${windowSeconds}`,
    'RateLimit',
    `"${policy}";r=0;t=${retryAfterSeconds ?? windowSeconds}`,
  ];
}

function challengeOf(error: BrokerError): string | undefined {
  if (error.code === 'token_missing') return 'Bearer realm="token-broker"';
  if (error.code === 'scope_insufficient') {
    return `Bearer realm="token-broker", error="insufficient_scope", scope="${error.scope ?? ''}"`;
  }
  if (error.code === 'sign_in_insufficient') {
    const maxAge = error.maxAgeSeconds === undefined ? '' : `, max_age="${error.maxAgeSeconds}"`;
    return `Bearer realm="token-broker", error="insufficient_user_authentication", error_description="${errorCodes[error.code].title}"${maxAge}`;
  }
  if (error.status !== 401) return undefined;
  return `Bearer realm="token-broker", error="invalid_token", error_description="${errorCodes[error.code].title}"`;
}
