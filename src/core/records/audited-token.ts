/** How a record names the token that a request was made with: never by its text. */

import type { Caller, CallerDescription } from '../caller.ts';

export interface AuditedToken {
  readonly sha256: string;
  readonly issuer?: string | undefined;
  readonly pool?: string | undefined;
  readonly clientId?: string | undefined;
  readonly subject?: string | undefined;
  readonly use?: string | undefined;
  readonly id?: string | undefined;
  /** Only where `audit.describe` says so. */
  readonly description?: CallerDescription | undefined;
}

/** Frozen, like the other parts of a record: the log prints a part once, for as long as it is the same object. */
export function auditedToken(caller: Caller): AuditedToken {
  return Object.freeze({
    sha256: caller.tokenSha256,
    issuer: caller.issuer,
    pool: caller.pool,
    clientId: caller.clientId,
    subject: caller.subject,
    use: caller.tokenUse,
    id: caller.tokenId,
    description: caller.description,
  });
}
