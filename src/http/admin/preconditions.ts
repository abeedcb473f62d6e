/** Preconditions of edits (RFC 9110 section 13): a strong ETag is the version in quotes. */

import type { IncomingHttpHeaders } from 'node:http';
import { BrokerError } from '../../core/errors.ts';

const versionTag = /^"(0|[1-9]\d{0,9})"$/;

export function entityTag(version: number): string {
  return `"${version}"`;
}

/**
 * The version that the client has seen, or `absent` if there must be none.
 *
 * @throws BrokerError `precondition_required`, or `precondition_failed` for a tag that no version has.
 */
export function expectedVersion(headers: IncomingHttpHeaders): number | 'absent' {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = headers;
  if (ifMatch === undefined) {
    if (ifNoneMatch === '*') return 'absent';
    throw required('Send If-None-Match: * to create, or If-Match with the ETag that you read.');
  }
  // Both can never hold.
  if (ifNoneMatch !== undefined) throw new BrokerError('precondition_failed');
  return matchedVersion(ifMatch);
}

/** As `expectedVersion`, where something must be there. */
export function matchedVersion(ifMatch: string | undefined): number {
  // Any version at all would include those that the client has not seen.
  if (ifMatch === undefined || ifMatch === '*') {
    throw required('Send If-Match with the ETag of the version that you read, such as "3".');
  }
  const version = versionTag.exec(ifMatch)?.[1];
  if (version === undefined) {
    throw new BrokerError('precondition_failed', {
      detail: 'If-Match must be the one ETag that the role mapping was read with, such as "3".',
    });
  }
  return Number(version);
}

function required(detail: string): BrokerError {
  return new BrokerError('precondition_required', { detail });
}
