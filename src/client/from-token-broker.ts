import { type Clock, systemClock } from '../kit/timing/clock.ts';
import { credentialsUrl, requestCredentials, TokenBrokerError } from './broker-client.ts';
import { type CredentialProvider, credentialProvider } from './credential-provider.ts';
import { withRetries } from './retries.ts';
import { type TokenInput, tokenSource, withToken } from './token-source.ts';

export interface FromTokenBrokerOptions {
  /** Of the broker's api listener. https, or http to this machine. */
  readonly url: string;
  /** Id of a role mapping or ARN of a role. Default: the one role that the caller is allowed. */
  readonly role?: string;
  readonly token: TokenInput;
  /** Of the session, from 900. Default: what the role mapping says. */
  readonly durationSeconds?: number;
  /** For getting credentials once: token, tries and pauses together. Default 10,000. */
  readonly timeoutMs?: number;
  /** Once it is aborted, the provider rejects with its reason and renews nothing any more. */
  readonly signal?: AbortSignal;
}

/**
 * A credential provider for AWS SDK v3 clients that gets its credentials from a broker.
 *
 * A token that the broker refuses (401) is replaced once. What may succeed later (503, 429, no connection) is
 * tried up to three times within `timeoutMs`, honouring Retry-After; every other refusal is final. Credentials
 * at hand outlive an outage until they end, but not a denial of the broker.
 *
 * The provider rejects with TokenBrokerError, with what the token source threw, or with the reason of a signal.
 *
 * @throws TokenBrokerError `broker_url_invalid`
 */
export function fromTokenBroker(
  options: FromTokenBrokerOptions,
  clock: Clock = systemClock,
): CredentialProvider {
  const { url, role, durationSeconds, timeoutMs = 10_000 } = options;
  // Once here, so that a wrong URL is noticed at start.
  credentialsUrl(url);
  const source = tokenSource(options.token);
  return credentialProvider({
    clock,
    signal: options.signal,
    timeoutMs,
    withdraws: (error) => error instanceof TokenBrokerError && error.denied,
    obtain: (signal) => {
      const use = async (token: string) => {
        const request = { url, role, durationSeconds, token, signal, clock };
        const { roleArn: _known, ...credentials } = await requestCredentials(request);
        return credentials;
      };
      const attempt = () => withToken({ source, signal, use, isRefusal });
      return withRetries(attempt, { clock, timeoutMs, signal });
    },
  });
}

function isRefusal(error: unknown): boolean {
  return error instanceof TokenBrokerError && error.status === 401;
}
