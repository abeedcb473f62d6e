/** Records of what is issued while no record of an exchange says so. */

import type { IssuedWebIdentity } from '../credentials.ts';
import type { AuditedCredentials, AuditedMapping, AuditedSession } from './audited-session.ts';
import type { AuditedToken } from './audited-token.ts';

/** The broker issued a web identity token. Durable before the token is sent to STS. */
export interface WebIdentityRecord {
  readonly type: 'web_identity';
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  readonly issued: IssuedWebIdentity & {
    /** `sub` */
    readonly subject: string;
    readonly expiration: string;
  };
  /** The token of the caller whom the session is for. */
  readonly token: AuditedToken;
  readonly mapping: AuditedMapping;
  readonly session: AuditedSession;
}

/** A session was renewed while nobody waited for it. Durable before anybody can get it. */
export interface RenewalRecord {
  readonly type: 'renewal';
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  /** The token that was at hand: of the caller whose request brought the renewal about. */
  readonly token: AuditedToken;
  readonly mapping: AuditedMapping;
  readonly session: AuditedSession;
  readonly credentials: AuditedCredentials;
}
