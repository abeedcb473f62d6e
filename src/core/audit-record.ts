/** What the audit log keeps: one record per decision and per policy change. Never a token, secret key or session token. */

import type { Caller } from './caller.ts';
import { toRfc3339 } from './clock.ts';
import type { IssuedSession } from './credentials.ts';
import type { BrokerErrorCode } from './errors.ts';
import type { RoleMapping } from './role-mapping.ts';
import type { SessionPlan } from './session.ts';

/** Where a request came from, and under which id it is known everywhere. */
export interface RequestContext {
  readonly requestId: string;
  /** Route template, from a closed set. */
  readonly route: string;
  /** Client address: the socket's, or the one that a trusted proxy vouches for. */
  readonly sourceIp: string;
  /** Address of the socket's other end. */
  readonly peerIp: string;
  readonly userAgent: string | undefined;
}

export interface AuditedToken {
  readonly sha256: string;
  readonly issuer?: string;
  readonly pool?: string;
  readonly clientId?: string;
  readonly subject?: string;
  readonly use?: string;
  readonly id?: string;
}

export interface AuditedSession {
  readonly role: string;
  readonly name: string;
  readonly durationSeconds: number;
  readonly policySha256?: string;
  readonly policyArns?: readonly string[];
}

export interface AuditedCredentials {
  /** Whether the credentials came from the cache. */
  readonly cached: boolean;
  /** With `stsRequestId` and `assumedRoleId`, the join with CloudTrail. */
  readonly accessKeyId: string;
  readonly assumedRoleId: string;
  readonly stsRequestId: string;
  readonly expiration: string;
}

export interface ExchangeRecord {
  readonly type: 'exchange';
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  readonly requestId: string;
  readonly route: string;
  readonly sourceIp: string;
  readonly peerIp: string;
  readonly userAgent?: string;
  /** `denied`: the request was refused on its merits; `failed`: something that the broker needs did not work. */
  readonly outcome: 'issued' | 'denied' | 'failed';
  readonly code?: BrokerErrorCode;
  /** What the caller is not told: why a decision was a denial. */
  readonly reason?: string;
  readonly token?: AuditedToken;
  readonly request?: { readonly role?: string; readonly durationSeconds?: number };
  readonly policyRevision?: number;
  readonly mapping?: { readonly id: string; readonly version: number };
  readonly session?: AuditedSession;
  readonly credentials?: AuditedCredentials;
}

/**
 * An attempt to change a role mapping. `authorized` is durable before the change is made; a later record of the
 * same request says if it was not made after all.
 */
export interface MappingChangeRecord {
  readonly type: 'mapping_change';
  readonly time: string;
  readonly requestId: string;
  readonly route?: string;
  readonly sourceIp: string;
  readonly peerIp: string;
  readonly userAgent?: string;
  /**
   * `authorized`: every check has passed and the write follows; `refused`: nothing was written, on the merits
   * of the request; `failed`: nothing was written, because something did not work; `unknown`: the table did
   * not say whether it wrote.
   */
  readonly outcome?: 'authorized' | 'refused' | 'failed' | 'unknown';
  readonly code?: BrokerErrorCode;
  readonly token?: AuditedToken;
  readonly action: 'create' | 'replace' | 'delete';
  readonly mappingId?: string;
  /** The version that the change is based on. */
  readonly baseVersion?: number;
  /** Why, in the editor's words; absent if the attempt was refused before they were read. */
  readonly reason?: string;
  /** A mapping managed from Git was changed by hand. */
  readonly override?: true;
  /** Null: there is none, none that can be read, or the attempt was refused before it was read. */
  readonly before: RoleMapping | null;
  readonly after: RoleMapping | null;
}

/** An administrator had a caller's token explained. */
export interface ExplainRecord {
  readonly type: 'explain';
  readonly time: string;
  readonly requestId: string;
  readonly route: string;
  readonly sourceIp: string;
  readonly peerIp: string;
  readonly userAgent?: string;
  /** The administrator's. */
  readonly token: AuditedToken;
  /** The token that was explained. */
  readonly explained: AuditedToken;
  readonly request: { readonly role?: string; readonly durationSeconds?: number };
  readonly outcome: 'allow' | 'deny' | 'ambiguous' | 'duration_not_allowed' | 'refused';
  readonly code?: BrokerErrorCode;
}

export type AuditRecord = ExchangeRecord | MappingChangeRecord | ExplainRecord;

export function auditedToken(caller: Caller): AuditedToken {
  return {
    sha256: caller.tokenSha256,
    issuer: caller.issuer,
    pool: caller.pool,
    ...(caller.clientId === undefined ? {} : { clientId: caller.clientId }),
    subject: caller.subject,
    use: caller.tokenUse,
    ...(caller.tokenId === undefined ? {} : { id: caller.tokenId }),
  };
}

export function auditedSession(plan: SessionPlan): AuditedSession {
  return {
    role: plan.roleArn,
    name: plan.sessionName,
    durationSeconds: plan.durationSeconds,
    ...(plan.policySha256 === undefined ? {} : { policySha256: plan.policySha256 }),
    ...(plan.policyArns.length === 0 ? {} : { policyArns: plan.policyArns }),
  };
}

export function auditedCredentials(issued: IssuedSession, cached: boolean): AuditedCredentials {
  return {
    cached,
    accessKeyId: issued.credentials.accessKeyId,
    assumedRoleId: issued.assumedRoleId,
    stsRequestId: issued.stsRequestId,
    expiration: toRfc3339(issued.credentials.expiresAt),
  };
}
