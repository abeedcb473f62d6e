import type { IssuedSession, IssueResult } from '../core/credentials.ts';
import { BrokerError } from '../core/errors.ts';
import type { AuditLog, CredentialIssuer, Urgency } from '../core/ports.ts';
import { auditedSession } from '../core/records/audited-session.ts';
import { auditedToken } from '../core/records/audited-token.ts';
import { identityOf, type SessionPlan } from '../core/session/session.ts';
import type { IdentityForm } from '../core/session/session-settings.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { IssuedToken, TokenIssuer } from './token-issuer.ts';

/** Exchanges the token for the session; `caller.subject` is the subject that STS must name in its answer. */
export interface WebIdentityExchange {
  issue(
    request: Omit<SessionPlan, 'caller'> & { readonly caller: { readonly subject: string } },
    token: string,
  ): Promise<IssueResult>;
}

export interface WebIdentityFormsOptions {
  readonly sts: WebIdentityExchange;
  /** Of mappings that do not say. */
  readonly byDefault: IdentityForm;
  /** Undefined where this broker issues no tokens. */
  readonly tokens: TokenIssuer | undefined;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

/**
 * Shows STS the web identity token that the mapping asks for: the caller's own, or one that is issued here for this one
 * exchange, on record before it is sent and kept nowhere afterwards.
 */
export class WebIdentityForms implements CredentialIssuer {
  readonly #options: WebIdentityFormsOptions;

  constructor(options: WebIdentityFormsOptions) {
    this.#options = options;
  }

  /** @throws BrokerError as STS does, `web_identity_unavailable` or `audit_unavailable` */
  async issue(plan: SessionPlan, token: string, _urgency?: Urgency): Promise<IssueResult> {
    const { sts, byDefault, tokens } = this.#options;
    if (identityOf(plan, byDefault) === 'caller') return sts.issue(plan, token);
    // Such a mapping is not in force where there is no key; the caller's token is never sent in its place (T143).
    if (tokens === undefined) {
      throw new BrokerError('internal_error', { reason: 'web_identity_not_configured' });
    }
    const issued = await tokens.issue(plan);
    await this.#record(plan, issued);
    try {
      const { session, cached } = await sts.issue(
        { ...plan, caller: { subject: issued.subject } },
        issued.token,
      );
      return { session: named(session, issued), cached };
    } catch (error) {
      throw asBrokersFault(error);
    }
  }

  #record(plan: SessionPlan, { id, keyId, sha256, subject, expiresAt }: IssuedToken) {
    const { audit, clock } = this.#options;
    return audit.record({
      type: 'web_identity',
      time: new Date(clock.now()).toISOString(),
      issued: { id, keyId, sha256, subject, expiration: new Date(expiresAt).toISOString() },
      token: auditedToken(plan.caller),
      mapping: { id: plan.mappingId, version: plan.mappingVersion },
      session: auditedSession(plan),
    });
  }
}

function named(session: IssuedSession, { id, keyId, sha256 }: IssuedToken): IssuedSession {
  return Object.freeze({ ...session, webIdentity: Object.freeze({ id, keyId, sha256 }) });
}

/** The caller's token was not shown: what STS has against ours is nothing that the caller could mend. */
function asBrokersFault(error: unknown): unknown {
  if (!(error instanceof BrokerError)) return error;
  const { code, reason } = error;
  switch (code) {
    case 'token_expired':
      return new BrokerError('sts_request_rejected', {
        detail:
          'STS takes the token of the broker for expired: the clock of the broker is minutes off. Have it set.',
        reason: 'broker_token_expired',
        cause: error,
      });
    case 'sts_token_rejected':
      return new BrokerError('sts_request_rejected', {
        detail:
          'STS refused the token of the broker. Operators: run `token-broker web-identity check`, and see that the account of the role has an IAM OIDC provider with exactly webIdentity.issuer and webIdentity.audience.',
        reason:
          reason === 'audience_not_registered' || reason === 'provider_not_registered'
            ? reason
            : 'broker_token_rejected',
        cause: error,
      });
    case 'sts_access_denied':
      return new BrokerError('sts_access_denied', {
        detail:
          'Check that the role exists and that its trust policy has the statement that `token-broker trust-policy` prints for it: with tags it needs sts:TagSession, with a source identity sts:SetSourceIdentity.',
        cause: error,
      });
    default:
      return error;
  }
}
