/** What the audit log keeps: one record per decision and per policy change. Never a token, secret key or session token. */

import { hash } from 'node:crypto';
import { toRfc3339 } from '../kit/timing/clock.ts';
import { policyArnPattern } from './aws-names.ts';
import type { Caller, CallerDescription } from './caller.ts';
import type { IssuedWebIdentity, IssueResult } from './credentials.ts';
import type { BrokerErrorCode, ErrorReason } from './errors.ts';
import type { CompiledMapping } from './policy/compiled-mapping.ts';
import type { EmergencyDeny } from './policy/emergency-denies.ts';
import type { RoleMapping } from './policy/role-mapping.ts';
import { remember } from './remember.ts';
import type { Attribution } from './session/attribution.ts';
import type { SessionPlan } from './session/session.ts';
import { isSessionName } from './session/session-name.ts';
import { type IdentityForm, maxPolicyArns } from './session/session-settings.ts';
import type { SessionWishes } from './session/session-wishes.ts';

/** Where a request came from, and under which id it is known everywhere. */
export interface RequestContext {
  readonly requestId: string;
  /** Of the trace that the sender says the request belongs to: 32 lower-case hex digits. Nothing is decided by it. */
  readonly traceId?: string | undefined;
  /** Route template, from a closed set. */
  readonly route: string;
  /** Client address: the socket's, or the one that a trusted proxy vouches for. */
  readonly sourceIp: string;
  /** Address of the socket's other end. */
  readonly peerIp: string;
  readonly userAgent: string | undefined;
  /** Whom a token of this request has proven, from then on. */
  caller?: Caller | undefined;
}

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

export interface AuditedRequest {
  readonly role?: string | undefined;
  readonly durationSeconds?: number | undefined;
  /** RoleSessionName that was asked for, whether it counted or not; absent if it is not a legal one. */
  readonly sessionName?: string | undefined;
  /** Lower-case hex SHA-256 of the caller's own session policy, as it was sent. */
  readonly policySha256?: string | undefined;
  /** The caller's own, as they were sent: the first ten of those that are ARNs of managed policies. */
  readonly policyArns?: readonly string[] | undefined;
}

export interface AuditedMapping {
  readonly id: string;
  readonly version: number;
}

export interface AuditedSession {
  readonly role: string;
  readonly name: string;
  readonly durationSeconds: number;
  readonly policySha256?: string | undefined;
  readonly policyArns?: readonly string[] | undefined;
  /** Where the mapping says which web identity token STS is shown. */
  readonly identity?: IdentityForm | undefined;
  /** Keys and values, by key. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly transitiveTagKeys?: readonly string[] | undefined;
  readonly sourceIdentity?: string | undefined;
}

export interface AuditedCredentials {
  /** Whether the credentials came from the cache. */
  readonly cached: boolean;
  /** With `stsRequestId` and `assumedRoleId`, the join with CloudTrail. */
  readonly accessKeyId: string;
  readonly assumedRoleId: string;
  /** Null: it was lost between STS and here; the other two are the join. */
  readonly stsRequestId: string | null;
  readonly expiration: string;
  /** The token of the broker that they were issued for; its own record came before it was sent. */
  readonly webIdentity?: IssuedWebIdentity | undefined;
}

/**
 * Further refusals of one kind. The record says what they share: those of one caller differ in nothing but time and
 * request id; for those before authentication, and for those beyond what one caller gets records of its own for,
 * `*` stands where they may differ, and `sourceIp` is a block of addresses.
 */
export interface AuditedRepeats {
  readonly count: number;
  /** RFC 3339, of the first and of the last of them. */
  readonly from: string;
  readonly to: string;
  /** The first sixteen. */
  readonly requestIds: readonly string[];
}

interface RecordedRequest {
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  readonly requestId: string;
  /** As the sender of the request says; absent in a record that stands for several. */
  readonly traceId?: string | undefined;
  readonly route: string;
  readonly sourceIp: string;
  readonly peerIp: string;
  readonly userAgent?: string | undefined;
  /**
   * Only in a record that follows that of a refusal, has its request id, and stands for those that were like it.
   * The time is then that of the writing. While the disk has no room for refusals the first one is among them.
   */
  readonly repeats?: AuditedRepeats | undefined;
}

export interface ExchangeRecord extends RecordedRequest {
  readonly type: 'exchange';
  /** `denied`: the request was refused on its merits; `failed`: something that the broker needs did not work. */
  readonly outcome: 'issued' | 'denied' | 'failed';
  readonly code?: BrokerErrorCode | undefined;
  /** What the caller is not told: why a decision was a denial. */
  readonly reason?: ErrorReason | undefined;
  readonly token?: AuditedToken | undefined;
  readonly request?: AuditedRequest | undefined;
  readonly policyRevision?: number | undefined;
  readonly mapping?: AuditedMapping | undefined;
  readonly session?: AuditedSession | undefined;
  readonly credentials?: AuditedCredentials | undefined;
}

/** Of the record of an exchange: what tells one request from the next that is like it. */
export type ExchangeStart = Pick<
  ExchangeRecord,
  'type' | 'time' | 'requestId' | 'traceId' | 'route' | 'sourceIp' | 'peerIp' | 'userAgent'
>;

type EndName = Exclude<keyof ExchangeRecord, keyof ExchangeStart | 'repeats'>;

/** The same for requests that are alike and come to the same. A member that is left out would not compile. */
export type ExchangeEnd = { readonly [Name in EndName]-?: ExchangeRecord[Name] };

const namesOfEnd: { readonly [Name in EndName]: true } = {
  outcome: true,
  code: true,
  reason: true,
  token: true,
  request: true,
  policyRevision: true,
  mapping: true,
  session: true,
  credentials: true,
};

/** In the order in which records have them. */
export const exchangeEndNames = Object.keys(namesOfEnd) as readonly EndName[];

/**
 * An attempt to change a role mapping. `authorized` is durable before the change is made; a later record of the
 * same request says if it was not made after all.
 */
export interface MappingChangeRecord extends RecordedRequest {
  readonly type: 'mapping_change';
  /**
   * `authorized`: every check has passed and the write follows; `refused`: nothing was written, on the merits
   * of the request; `failed`: nothing was written, because something did not work; `unknown`: the table did
   * not say whether it wrote; `unchanged`: nothing was written, because the mapping says that already.
   */
  readonly outcome:
    | 'authorized'
    | 'unchanged'
    /** It waits for a second administrator as the proposal that is named. */
    | 'proposed'
    | 'rejected'
    | 'withdrawn'
    | 'refused'
    | 'failed'
    | 'unknown';
  readonly code?: BrokerErrorCode | undefined;
  readonly token?: AuditedToken | undefined;
  /** As the history of the table names the editor; absent if the attempt was refused before anybody was known. */
  readonly actor?: string | undefined;
  /** Whether a verified token says who that is; false for a name that a command gave itself. */
  readonly actorProven: boolean;
  readonly action: 'create' | 'replace' | 'delete' | '*';
  readonly mappingId?: string | undefined;
  /** The version that the change is based on. */
  readonly baseVersion?: number | undefined;
  /** Why, in the editor's words; absent if the attempt was refused before they were read. */
  readonly reason?: string | undefined;
  /** A mapping managed from Git was changed by hand. */
  readonly override?: true | undefined;
  readonly proposal?: AuditedProposal | undefined;
  /** It needed a second administrator, and was made without one in an emergency. */
  readonly breakGlass?: true | undefined;
  /** Null: there is none, none that can be read, or the attempt was refused before it was read. */
  readonly before: RoleMapping | null;
  readonly after: RoleMapping | null;
}

export interface AuditedProposal {
  readonly id: string;
  /** Of what it would write; absent if the attempt was refused before it was read. */
  readonly sha256?: string | undefined;
  /** As the history of the table names them. */
  readonly author?: string | undefined;
}

/** An administrator had a caller's token explained. */
export interface ExplainRecord extends RecordedRequest {
  readonly type: 'explain';
  /** The administrator's. */
  readonly token: AuditedToken;
  /** The token that was explained. */
  readonly explained: AuditedToken;
  readonly request: AuditedRequest;
  readonly outcome: 'allow' | 'deny' | 'ambiguous' | 'duration_not_allowed' | 'refused';
  readonly code?: BrokerErrorCode | undefined;
}

/**
 * Somebody looked, or tried to: an administrator at the policy, or a caller at what it may ask for. Durable before
 * the answer, or counted in a record that repeats one that is.
 */
export interface AccessRecord extends RecordedRequest {
  readonly type: 'access';
  readonly listener: 'admin' | 'api';
  /** `permitted`: whoever asked may see it; the answer may still say that there is no such thing. */
  readonly outcome: 'permitted' | 'refused' | 'failed';
  readonly code?: BrokerErrorCode | undefined;
  readonly token?: AuditedToken | undefined;
  /** Path and query, of those who may look. */
  readonly asked?: string | undefined;
}

/** The denies of the emergency file of this instance changed. They were in force before this was written. */
export interface EmergencyFileRecord {
  readonly type: 'emergency_file';
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  /** `unusable`: the file is there and cannot be used, so everything is denied. */
  readonly outcome: 'in_force' | 'absent' | 'unusable';
  /** The first fifty. */
  readonly denies: readonly EmergencyDeny[];
  /** The first fifty: each a `jti` or an `origin_jti`. */
  readonly tokens: readonly string[];
  /** How many there are of both. */
  readonly count: number;
  /** Lower-case hex SHA-256 of the file, where it could be read. */
  readonly fileSha256?: string | undefined;
  readonly detail?: string | undefined;
}

/**
 * Somebody asked for the configuration file to be read again. `authorized` is durable before anything of it counts;
 * after `refused` and `failed` nothing has changed.
 */
export interface ConfigReloadRecord {
  readonly type: 'config_reload';
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  /** What asked for it: a signal does not say whose it is. */
  readonly by: 'SIGHUP';
  readonly outcome: 'authorized' | 'refused' | 'failed';
  /** Why nothing has changed. */
  readonly reason?: string | undefined;
  /** Lower-case hex SHA-256 of the file, where it was read as a configuration. */
  readonly fileSha256?: string | undefined;
  /** The first fifty that changed, or that are in the way. */
  readonly settings: readonly AuditedSetting[];
  /** How many there are. */
  readonly count: number;
}

/** No values: of lists of names, such as app clients and administrators, the first twenty of those who came and went. */
export interface AuditedSetting {
  /** Dotted path. */
  readonly setting: string;
  readonly added?: readonly string[];
  readonly removed?: readonly string[];
}

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

export type AuditRecord =
  | ExchangeRecord
  | RenewalRecord
  | WebIdentityRecord
  | MappingChangeRecord
  | ExplainRecord
  | AccessRecord
  | EmergencyFileRecord
  | ConfigReloadRecord;

/** Of the request's context, what every record says. */
export function recordedRequest({
  requestId,
  traceId,
  route,
  sourceIp,
  peerIp,
  userAgent,
}: RequestContext): Omit<RecordedRequest, 'time' | 'repeats'> {
  return { requestId, traceId, route, sourceIp, peerIp, userAgent };
}

/** One frozen object for one caller, mapping, session or result: the log prints each of them once. */
export const auditedToken: (caller: Caller) => AuditedToken = remember((caller) =>
  Object.freeze({
    sha256: caller.tokenSha256,
    issuer: caller.issuer,
    pool: caller.pool,
    clientId: caller.clientId,
    subject: caller.subject,
    use: caller.tokenUse,
    id: caller.tokenId,
    description: caller.description,
  }),
);

/** Texts are kept in a legal form only: what was put there by mistake may be a token or a key (T33). */
export function auditedRequest({
  role,
  durationSeconds,
  sessionName,
  policy,
  policyArns = [],
}: Pick<AuditedRequest, 'role' | 'durationSeconds'> & SessionWishes): AuditedRequest {
  return {
    role,
    durationSeconds,
    sessionName: sessionName !== undefined && isSessionName(sessionName) ? sessionName : undefined,
    policySha256: policy === undefined ? undefined : hash('sha256', policy, 'hex'),
    policyArns: policyArns.length === 0 ? undefined : legalArns(policyArns),
  };
}

function legalArns(arns: readonly string[]): readonly string[] {
  return arns.filter((arn) => policyArnPattern.test(arn)).slice(0, maxPolicyArns);
}

export const auditedSession: (plan: SessionPlan) => AuditedSession = remember((plan) =>
  Object.freeze({
    role: plan.roleArn,
    name: plan.sessionName,
    durationSeconds: plan.durationSeconds,
    policySha256: plan.policySha256,
    policyArns: plan.policyArns.length === 0 ? undefined : plan.policyArns,
    identity: plan.identity,
    ...(plan.attribution === undefined ? {} : auditedAttribution(plan.attribution)),
  }),
);

function auditedAttribution({ tags, transitiveTagKeys, sourceIdentity }: Attribution) {
  return {
    tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
    transitiveTagKeys: transitiveTagKeys.length === 0 ? undefined : transitiveTagKeys,
    sourceIdentity: sourceIdentity?.value,
  };
}

/** By the result of issuing, which is one object for all hits of a cache entry. */
export const auditedCredentials: (result: IssueResult) => AuditedCredentials = remember(
  ({ session, cached }) =>
    Object.freeze({
      cached,
      accessKeyId: session.credentials.accessKeyId,
      assumedRoleId: session.assumedRoleId,
      stsRequestId: session.stsRequestId ?? null,
      expiration: toRfc3339(session.credentials.expiresAt),
      webIdentity: session.webIdentity,
    }),
);

export const auditedMapping: (compiled: CompiledMapping) => AuditedMapping = remember(
  ({ mapping, version }) => Object.freeze({ id: mapping.id, version }),
);
