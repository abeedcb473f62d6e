import { type BrokerError, errorCodes } from '../core/errors.ts';

/** Stable names, one per code; docs/errors.md explains each. */
const typePrefix = 'urn:token-broker:error:';

/** An error as problem details (RFC 9457). */
export function problemOf(error: BrokerError, requestId: string) {
  return {
    type: typePrefix + error.code,
    title: errorCodes[error.code].title,
    status: error.status,
    code: error.code,
    detail: error.detail,
    errors: error.faults,
    choices: error.choices,
    request_id: requestId,
  };
}
