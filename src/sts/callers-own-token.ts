import type { Caller } from '../core/caller.ts';
import type { IssueResult } from '../core/credentials.ts';
import { BrokerError } from '../core/errors.ts';
import type { CredentialIssuer, Urgency } from '../core/ports.ts';
import { identityOf, type SessionPlan } from '../core/session/session.ts';
import type { IdentityForm } from '../core/session/session-settings.ts';

export interface CallersOwnTokenOptions {
  readonly issuer: CredentialIssuer;
  /** Of mappings that do not say. */
  readonly byDefault: IdentityForm;
}

/** Refuses a caller's own token that STS would refuse anyway, in words that help, and before it costs anybody's quota. */
export class CallersOwnToken implements CredentialIssuer {
  readonly #issuer: CredentialIssuer;
  readonly #byDefault: IdentityForm;

  constructor({ issuer, byDefault }: CallersOwnTokenOptions) {
    this.#issuer = issuer;
    this.#byDefault = byDefault;
  }

  /** @throws BrokerError `token_audience_missing`, `token_role_not_listed`, or as the decorated issuer does */
  async issue(plan: SessionPlan, token: string, urgency?: Urgency): Promise<IssueResult> {
    if (identityOf(plan, this.#byDefault) === 'caller') {
      requireAudience(plan.caller);
      requireBound(plan.caller, plan);
    }
    return this.#issuer.issue(plan, token, urgency);
  }
}

/** STS answers with a message that helps nobody: say what to configure instead. */
function requireAudience(caller: Caller): void {
  if (caller.audience !== undefined) return;
  throw new BrokerError('token_audience_missing', {
    detail:
      'AWS STS needs an "aud" claim, which Cognito access tokens lack. Add a pre token generation trigger (event version V3_0) to the user pool that sets "aud" to the app client id, and register that id with the IAM OIDC provider; or have the broker issue the token that STS is shown. docs/aws-setup.md has both ways.',
  });
}

/** STS refuses it before it looks at the trust policy, in words that do not say which claim is meant (T68). */
function requireBound({ boundRoles }: Caller, { roleArn }: SessionPlan): void {
  if (boundRoles === undefined || boundRoles.includes(roleArn)) return;
  throw new BrokerError('token_role_not_listed', {
    detail:
      'The claim "https://aws.amazon.com/roles" of the token binds it to other roles. Have its issuer add the ARN of the role, exactly as IAM spells it, or leave the claim out.',
  });
}
