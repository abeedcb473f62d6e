/**
 * Answers of the container-credentials protocol (AWS SDKs and Tools Reference Guide, "Container credential
 * provider").
 */

import type { ServerResponse } from 'node:http';
import { type BrokerCredentials, TokenBrokerError } from '../client/broker-client.ts';
import { toRfc3339 } from '../kit/timing/clock.ts';

export interface AgentError {
  readonly status: number;
  /** As AWS names its errors. */
  readonly code: string;
  readonly message: string;
}

export function sendCredentials(res: ServerResponse, credentials: BrokerCredentials): void {
  send(res, 200, {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: toRfc3339(credentials.expiration.getTime()),
    AccountId: credentials.accountId,
    RoleArn: credentials.roleArn,
  });
}

/** JavaScript reads `Code` and `Message`, Java and Go the lower-case names. */
export function sendAgentError(res: ServerResponse, { status, code, message }: AgentError): void {
  if (status === 405) res.setHeader('Allow', 'GET');
  send(res, status, { Code: code, Message: message, code, message });
}

/** `undefined`: the broker has been asked and has not answered yet. */
export function agentErrorOf(error: Error | undefined): AgentError {
  const message = error?.message ?? 'The broker has not answered yet: try again.';
  if (error instanceof TokenBrokerError) {
    if (error.denied) return { status: 403, code: 'AccessDenied', message };
    if (error.status === 400) return { status: 400, code: 'ValidationError', message };
  }
  return { status: 503, code: 'ServiceUnavailable', message };
}

function send(res: ServerResponse, status: number, document: object): void {
  const body = Buffer.from(JSON.stringify(document));
  res.writeHead(status, {
    // To the letter: the SDK for Go compares the whole value.
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  res.end(body);
}
