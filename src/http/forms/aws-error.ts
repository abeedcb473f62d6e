/** What AWS SDKs are told of an error: the code that AWS STS would use, where it has one. */

import {
  type BrokerError,
  type BrokerErrorCode,
  type ErrorReason,
  errorCodes,
} from '../../core/errors.ts';

/**
 * Codes by which SDKs decide whether to try again, and which users search for (AWS STS API reference, "Common
 * errors" and AssumeRoleWithWebIdentity). Codes that are not here follow from the HTTP status.
 */
const codes: Partial<Readonly<Record<BrokerErrorCode, string>>> = {
  request_timeout: 'RequestTimeout',
  token_missing: 'MissingAuthenticationToken',
  token_expired: 'ExpiredTokenException',
  token_audience_missing: 'InvalidIdentityToken',
  action_unknown: 'InvalidAction',
  access_key_unknown: 'InvalidClientTokenId',
  signature_invalid: 'SignatureDoesNotMatch',
  role_ambiguous: 'ValidationError',
  duration_not_allowed: 'ValidationError',
  session_policy_invalid: 'MalformedPolicyDocument',
  sts_token_rejected: 'InvalidIdentityToken',
  sts_request_rejected: 'ValidationError',
  sts_throttled: 'Throttling',
  keys_unavailable: 'IDPCommunicationError',
  overloaded: 'Throttling',
  internal_error: 'InternalFailure',
};

/** Where the reason says more than the code. */
const codesByReason: Partial<Readonly<Record<ErrorReason, string>>> = {
  policy_malformed: 'MalformedPolicyDocument',
  policy_too_large: 'PackedPolicyTooLarge',
  signature_absent: 'MissingAuthenticationToken',
  signature_incomplete: 'IncompleteSignature',
  session_ended: 'ExpiredToken',
};

export function awsErrorCode({
  code,
  status,
  reason,
}: Pick<BrokerError, 'code' | 'status'> & Partial<Pick<BrokerError, 'reason'>>): string {
  const known = (reason && codesByReason[reason]) ?? codes[code];
  if (known !== undefined) return known;
  if (status === 401) return 'InvalidIdentityToken';
  if (status === 403) return 'AccessDenied';
  if (status === 429) return 'Throttling';
  if (status >= 500) return 'ServiceUnavailable';
  return 'ValidationError';
}

/** What to do next, and the id under which the audit log knows the request. */
export function awsErrorMessage({ code, detail }: BrokerError, requestId: string): string {
  return `${detail ?? `${errorCodes[code].title}.`} (request ${requestId})`;
}
