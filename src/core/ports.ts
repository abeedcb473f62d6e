/** What the domain needs from the outside: implemented by adapters, decorated and wired in broker.ts. */

import type { AuditRecord } from './audit-record.ts';
import type { Caller } from './caller.ts';
import type { IssuedSession } from './credentials.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';
import type { SessionPlan } from './session.ts';

export interface TokenValidator {
  /**
   * The caller that the token proves. Answers without a promise when the token was verified before.
   *
   * @throws BrokerError with a `token_…` code when the token is refused, `keys_unavailable` when the issuer's
   * keys are not to be had.
   */
  validate(token: string): Caller | Promise<Caller>;
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

export interface IssueResult {
  readonly session: IssuedSession;
  readonly cached: boolean;
}

export interface CredentialIssuer {
  /**
   * Credentials for exactly the planned session. `token` is the caller's own, verified token.
   *
   * @throws BrokerError with an `sts_…` or `token_…` code.
   */
  issue(plan: SessionPlan, token: string): IssueResult | Promise<IssueResult>;
}

export interface AuditLog {
  /**
   * Resolves once the record is durable. Records are kept in the order of the calls.
   *
   * @throws BrokerError `audit_unavailable` when no sink accepted the record within its deadline.
   */
  record(record: AuditRecord): Promise<void>;
}
