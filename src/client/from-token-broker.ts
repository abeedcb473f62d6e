import { type Clock, systemClock } from '../core/clock.ts';
import {
  type BrokerCredentials,
  credentialsUrl,
  requestCredentials,
  TokenBrokerError,
} from './broker-client.ts';
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
      const use = async (token: string) =>
        plausible(
          await requestCredentials({ url, role, durationSeconds, token, signal }),
          role,
          clock.now(),
        );
      const attempt = () => withToken({ source, signal, use, isRefusal });
      return withRetries(attempt, { clock, timeoutMs, signal });
    },
  });
}

function isRefusal(error: unknown): boolean {
  return error instanceof TokenBrokerError && error.status === 401;
}

/** STS: no session lasts longer, and the clocks of two machines differ a little. */
const longestSessionMs = 12 * 60 * 60_000 + 5 * 60_000;

function plausible(
  { roleArn, ...credentials }: BrokerCredentials,
  role: string | undefined,
  now: number,
) {
  if (role?.startsWith('arn:') && roleArn !== role) {
    throw invalid('The broker answered with credentials of another role than was asked for.');
  }
  const remainingMs = credentials.expiration.getTime() - now;
  if (!(remainingMs > 0 && remainingMs <= longestSessionMs)) {
    throw invalid(
      'The broker answered with credentials whose expiration cannot be: compare the clocks of both machines.',
    );
  }
  return credentials;
}

function invalid(detail: string): TokenBrokerError {
  return new TokenBrokerError('broker_answer_invalid', detail, { status: 200, retryable: true });
}
