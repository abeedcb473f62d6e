import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type BrokerError, errorCodes } from '../core/errors.ts';
import { problemOf } from '../http/problem-document.ts';

/** Answers as the broker does (RFC 9457, RFC 6750 section 3), beside whatever headers the service has set. */
export function sendRefusal(res: ServerResponse, error: BrokerError): void {
  // A timeout of the service may have answered while the token was checked.
  if (res.headersSent) return;
  const given = res.getHeader('x-request-id');
  const requestId = typeof given === 'string' ? given : randomUUID();
  const body = Buffer.from(JSON.stringify(problemOf(error, requestId)));
  res.statusCode = error.status;
  res.setHeader('X-Request-Id', requestId);
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Content-Type', 'application/problem+json');
  res.setHeader('Content-Length', body.length);
  const challenge = challengeOf(error);
  if (challenge !== undefined) res.setHeader('WWW-Authenticate', challenge);
  if (error.retryAfterSeconds !== undefined) res.setHeader('Retry-After', error.retryAfterSeconds);
  res.end(body);
}

function challengeOf({ code, status }: BrokerError): string | undefined {
  if (code === 'token_missing') return 'Bearer';
  if (status !== 401) return undefined;
  return `Bearer error="invalid_token", error_description="${errorCodes[code].title}"`;
}
