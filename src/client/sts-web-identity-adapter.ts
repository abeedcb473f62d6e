import {
  maxDurationSeconds,
  minDurationSeconds,
  roleArnPattern,
  sessionNamePattern,
} from '../core/aws-names.ts';
import { BrokerError } from '../core/errors.ts';
import { readToken } from '../identity/token-format.ts';
import { isSecureUrl } from '../kit/net/secure-url.ts';
import { type Clock, systemClock } from '../kit/timing/clock.ts';
import type { StsEndpoint } from '../sts/sts-client.ts';
import { StsWebIdentityAdapter as Exchange } from '../sts/web-identity-adapter.ts';
import type { WebIdentityRequest } from '../sts/web-identity-request.ts';
import {
  type CredentialProvider,
  credentialProvider,
  type SessionCredentials,
} from './credential-provider.ts';
import { type TokenInput, type TokenSource, tokenSource, withToken } from './token-source.ts';

export interface StsWebIdentityAdapterOptions {
  /** In order of preference; an endpoint that does not answer is left for the next one. */
  readonly endpoints: readonly [StsEndpoint, ...StsEndpoint[]];
  /** Its `iss` and `aud` must be those of an IAM OIDC provider in the account of the role. */
  readonly token: TokenInput;
}

export interface WebIdentitySession {
  readonly roleArn: string;
  /** 2 to 64 of `A-Z a-z 0-9 _ + = , . @ -`; it stands in CloudTrail. */
  readonly sessionName: string;
  /** 900 to 43,200. Default 3,600. */
  readonly durationSeconds?: number;
  /** Session policy, JSON text: narrows what the role may do. */
  readonly policy?: string;
  readonly policyArns?: readonly string[];
  /** For getting credentials once, token included. Default 10,000. */
  readonly timeoutMs?: number;
  /** Once it is aborted, the provider rejects with its reason and renews nothing any more. */
  readonly signal?: AbortSignal;
}

/**
 * Session credentials straight from STS (AssumeRoleWithWebIdentity), for services that run without a broker:
 * nothing but the trust policy of the role decides then, and nothing but CloudTrail records it.
 */
export class StsWebIdentityAdapter {
  readonly #exchange: Exchange;
  readonly #source: TokenSource;
  readonly #clock: Clock;
  readonly #closing = new AbortController();

  /** @throws TypeError or RangeError for an endpoint that tokens must not be sent to. */
  constructor({ endpoints, token }: StsWebIdentityAdapterOptions, clock: Clock = systemClock) {
    if (!endpoints.every(isSecureEndpoint)) {
      throw new TypeError('the endpoint of STS must be an https URL, or http to this machine');
    }
    this.#exchange = new Exchange({ endpoints, clock });
    this.#source = tokenSource(token);
    this.#clock = clock;
  }

  /**
   * A credential provider for AWS SDK v3 clients. It rejects with BrokerError (`sts_…` and `token_…` codes),
   * with TokenBrokerError, with what the token source threw, or with the reason of a signal.
   *
   * @throws TypeError or RangeError for a session that STS would refuse.
   */
  credentials(session: WebIdentitySession): CredentialProvider {
    requirePossible(session);
    const closing = this.#closing.signal;
    return credentialProvider({
      clock: this.#clock,
      signal: session.signal === undefined ? closing : AbortSignal.any([session.signal, closing]),
      timeoutMs: session.timeoutMs ?? 10_000,
      withdraws: (error) => error instanceof BrokerError && error.code === 'sts_access_denied',
      obtain: (signal) => {
        const use = (token: string) => this.#issue(session, token);
        return withToken({ source: this.#source, signal, use, isRefusal });
      },
    });
  }

  /** Ends every provider of this adapter. */
  close(): void {
    this.#closing.abort(new Error('the STS adapter is closed'));
    this.#exchange.stop();
  }

  async #issue(session: WebIdentitySession, token: string): Promise<SessionCredentials> {
    const request: WebIdentityRequest = {
      roleArn: session.roleArn,
      sessionName: session.sessionName,
      durationSeconds: session.durationSeconds ?? 3600,
      policy: session.policy,
      policyArns: session.policyArns ?? [],
      caller: { subject: subjectOf(token) },
    };
    const { credentials } = (await this.#exchange.issue(request, token)).session;
    const { expiresAt, ...keys } = credentials;
    const accountId = roleArnPattern.exec(session.roleArn)?.[2] as string;
    return { ...keys, expiration: new Date(expiresAt), accountId };
  }
}

function isSecureEndpoint({ endpoint }: StsEndpoint): boolean {
  return endpoint === undefined || (URL.canParse(endpoint) && isSecureUrl(new URL(endpoint)));
}

function requirePossible({ roleArn, sessionName, durationSeconds = 3600 }: WebIdentitySession) {
  if (!roleArnPattern.test(roleArn)) throw new TypeError('roleArn must be the ARN of one IAM role');
  if (!sessionNamePattern.test(sessionName)) {
    throw new TypeError('sessionName must be 2 to 64 of A-Z a-z 0-9 _ + = , . @ -');
  }
  const fits = durationSeconds >= minDurationSeconds && durationSeconds <= maxDurationSeconds;
  if (!Number.isInteger(durationSeconds) || !fits) {
    throw new RangeError(
      `durationSeconds must be a whole number from ${minDurationSeconds} to ${maxDurationSeconds}`,
    );
  }
}

/** Not verified, which is what STS does: its answer is merely compared with it. */
function subjectOf(token: string): string {
  const { sub } = readToken(token).claims;
  if (typeof sub === 'string') return sub;
  throw new BrokerError('token_claims_invalid', { detail: 'The token must have a "sub".' });
}

function isRefusal(error: unknown): boolean {
  return error instanceof BrokerError && error.status === 401;
}
