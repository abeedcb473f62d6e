import type { IssueResult } from '../core/credentials.ts';
import type { AuditLog, CredentialIssuer, Urgency } from '../core/ports.ts';
import { auditedCredentials, auditedSession } from '../core/records/audited-session.ts';
import { auditedToken } from '../core/records/audited-token.ts';
import type { SessionPlan } from '../core/session/session.ts';
import type { Clock } from '../kit/timing/clock.ts';

export interface RecordedRenewalsOptions {
  readonly issuer: CredentialIssuer;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

/**
 * A session that nobody waits for is on record before the cache has it: perhaps nobody ever asks for it, and CloudTrail has it
 * all the same. What is in CloudTrail and in no log was not made by a broker (T225).
 */
export class RecordedRenewals implements CredentialIssuer {
  readonly #options: RecordedRenewalsOptions;

  constructor(options: RecordedRenewalsOptions) {
    this.#options = options;
  }

  /** @throws BrokerError as the issuer does, or `audit_unavailable` */
  issue(plan: SessionPlan, token: string, urgency?: Urgency): IssueResult | Promise<IssueResult> {
    const { issuer } = this.#options;
    return urgency === 'background'
      ? this.#recorded(plan, issuer.issue(plan, token, urgency))
      : issuer.issue(plan, token, urgency);
  }

  async #recorded(
    plan: SessionPlan,
    issuing: IssueResult | Promise<IssueResult>,
  ): Promise<IssueResult> {
    const { audit, clock } = this.#options;
    const result = await issuing;
    await audit.record({
      type: 'renewal',
      time: new Date(clock.now()).toISOString(),
      token: auditedToken(plan.caller),
      mapping: { id: plan.mappingId, version: plan.mappingVersion },
      session: auditedSession(plan),
      credentials: auditedCredentials(result),
    });
    return result;
  }
}
