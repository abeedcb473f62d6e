/** Errors as STS answers them: SDKs decide by status and code whether to try again. */

import type { Response } from 'express';
import type { BrokerError } from '../../../core/errors.ts';
import { errorXml } from '../../../sts-protocol/answers.ts';
import { noteAnswer } from '../../broken-connections.ts';
import { awsErrorCode, awsErrorMessage } from '../aws-error.ts';
import { sendXml } from './sts-answer.ts';

export function sendStsError(res: Response, error: BrokerError, requestId: string): void {
  // Where one message ends and the next begins is in doubt: do not read on.
  if (error.code === 'request_malformed') res.shouldKeepAlive = false;
  noteAnswer(res.req);
  const { status, code } = stsError(error);
  const message = awsErrorMessage(error, requestId);
  const document = errorXml({ status, code, message }, requestId);
  sendXml(res, status, document, requestId, extraHeaders(error));
}

/** A role mapping that cannot work is reported with 400: asked again, it would fail again. */
export function stsError(
  error: Pick<BrokerError, 'code' | 'status'> & Partial<Pick<BrokerError, 'reason'>>,
): { readonly status: number; readonly code: string } {
  const code = awsErrorCode(error);
  const status = statuses[code] ?? (error.status < 500 ? error.status : 400);
  return { status, code };
}

/** AWS STS API reference; what is not here has the status of HTTP. */
const statuses: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  ExpiredToken: 403,
  ExpiredTokenException: 400,
  IDPCommunicationError: 400,
  IncompleteSignature: 400,
  InternalFailure: 500,
  InvalidAction: 400,
  InvalidClientTokenId: 403,
  InvalidIdentityToken: 400,
  MalformedPolicyDocument: 400,
  MissingAuthenticationToken: 403,
  PackedPolicyTooLarge: 400,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  Throttling: 400,
};

function extraHeaders({ retryAfterSeconds, allow }: BrokerError): string[] {
  return [
    ...(retryAfterSeconds === undefined ? [] : ['Retry-After', String(retryAfterSeconds)]),
    ...(allow === undefined ? [] : ['Allow', allow.join(', ')]),
  ];
}
