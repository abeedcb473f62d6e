/** What the domain needs from the outside: implemented by adapters, decorated and wired in broker.ts. */

import type { Caller } from './caller.ts';
import type { IssuedSession, IssueResult } from './credentials.ts';
import type { Fault } from './fault.ts';
import type { PolicySnapshot } from './policy/policy-snapshot.ts';
import type { AuditRecord } from './records/audit-record.ts';
import type { ExchangeRecord } from './records/exchange-record.ts';
import type { SessionPlan } from './session/session.ts';

export interface TokenValidator {
  /**
   * The caller that the token proves. Answers without a promise when the token was verified before.
   * `source` is the address that sent it.
   *
   * @throws BrokerError with a `token_…` code when the token is refused, `keys_unavailable` when the issuer's
   * keys are not to be had, `rate_limited` when too many tokens from that address were refused.
   */
  validate(token: string, source: string): Caller | Promise<Caller>;

  /**
   * For whoever has waited for something since: what is accepted may have changed meanwhile.
   *
   * @throws BrokerError as `validate` now would for what was proven then.
   */
  requireStillAccepted(caller: Caller): void;
}

export interface KnownTokens {
  /** The caller of a token that was verified before and is still good; undefined if it has to be verified. */
  recall(token: string): Caller | undefined;
  /** Whose the token says it is. Nothing of it is verified: never to be used for a decision about access. */
  claimedSubject(token: string): ClaimedSubject | undefined;
  /** Whether its issuer made it, however old it is; false where the key is not at hand. */
  wasGenuine(token: string): boolean;
}

export interface ClaimedSubject {
  readonly issuer: string;
  readonly subject: string;
}

export interface IssuerKeyView {
  /** True if the key set of the token's issuer is known, and has lost the key of that token. */
  lacksKeyOf(token: string): boolean;
}

export interface CallerLimit {
  /**
   * Counts a request of the caller.
   *
   * @throws BrokerError `rate_limited` when it is one too many.
   */
  charge(caller: Caller): void;
}

export interface PolicySource {
  /**
   * The policy in force.
   *
   * @throws BrokerError `policy_unavailable` before the first complete load, `policy_stale` when the last one
   * is older than the configured maximum.
   */
  current(): PolicySnapshot;
}

/** Whether a caller waits for the credentials, or has some that are still good. */
export type Urgency = 'waiting' | 'background';

export interface CredentialIssuer {
  /**
   * Credentials for exactly the planned session. `token` is the caller's own, verified token. Default urgency:
   * `waiting`.
   *
   * @throws BrokerError with an `sts_…` or `token_…` code.
   */
  issue(plan: SessionPlan, token: string, urgency?: Urgency): IssueResult | Promise<IssueResult>;
}

/** The issued sessions that are in memory, by their keys. */
export interface HeldSessions {
  /** The session whose keys these are, if this instance issued it and still holds it; it may have ended. */
  sessionOfKey(accessKeyId: string): IssuedSession | undefined;
}

export interface AuditLog {
  /**
   * Resolves once the record is durable. Records are kept in the order of the calls.
   *
   * @throws BrokerError `audit_unavailable` when no sink accepted the record within its deadline.
   */
  record(record: AuditRecord): Promise<void>;
}

/** The last decisions of this instance that are on record. */
export interface RecentDecisions {
  newestFirst(): Iterable<ExchangeRecord>;
  /** When credentials were last issued by that mapping, RFC 3339; undefined: not since `since`. */
  lastIssued(mappingId: string): string | undefined;
  /** Since when it has been listening, RFC 3339. */
  readonly since: string;
}

/** A row of the table that cannot be read, and what the policy has in its place. */
export interface QuarantinedMapping {
  readonly id: string;
  readonly version: number;
  readonly faults: readonly Fault[];
  readonly standIn: 'last_good' | 'deny' | 'none';
}

/** The policy of this instance, which follows the table. */
export interface LivePolicy extends PolicySource {
  /** Looks at the table now: afterwards an edit acknowledged before the call is in force. Never rejects. */
  refresh(): Promise<void>;
  quarantined(): readonly QuarantinedMapping[];
}
