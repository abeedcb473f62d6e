import { RenewedValue } from '../kit/calls/renewed-value.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { keepingAlive } from '../kit/timing/keeping-alive.ts';
import { orAborted } from '../kit/timing/or-aborted.ts';
import { TokenBrokerError } from './broker-client.ts';

/** What the AWS SDK for JavaScript v3 calls `AwsCredentialIdentity`, with everything that session credentials have. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
  /** Twelve digits. */
  readonly accountId: string;
}

export interface CredentialProviderOptions {
  /** Ends the waiting of this caller only. */
  readonly signal?: AbortSignal | undefined;
  /** What the SDK passes to every provider, and nothing here reads. */
  readonly [property: string]: unknown;
}

/** Fits the `credentials` option of every AWS SDK v3 client. */
export type CredentialProvider = (
  options?: CredentialProviderOptions,
) => Promise<SessionCredentials>;

export interface ProviderParts {
  readonly clock: Clock;
  /** Once it is aborted, the provider rejects with its reason and renews nothing any more. */
  readonly signal: AbortSignal | undefined;
  /** For one attempt to get credentials, everything included. */
  readonly timeoutMs: number;
  readonly obtain: (signal: AbortSignal) => Promise<SessionCredentials>;
  /** Whether the failure means that the credentials from before are void as well. */
  readonly withdraws: (error: unknown) => boolean;
}

/**
 * Keeps one session's credentials: renewed in the background after 50 to 75 % of their life, one attempt at a
 * time for however many callers, given out while they hold even if renewing fails, and never after they ended.
 */
export function credentialProvider(parts: ProviderParts): CredentialProvider {
  const { clock, signal, withdraws } = parts;
  const held = new RenewedValue({
    clock,
    withdraws,
    renewAfterMs: (lifeMs) => lifeMs * (0.5 + 0.25 * Math.random()),
    async obtain() {
      const credentials = await withinDeadline(parts);
      return { value: credentials, expiresAt: credentials.expiration.getTime() };
    },
  });
  signal?.addEventListener('abort', () => held.stop(), { once: true });
  return async (options) => {
    signal?.throwIfAborted();
    options?.signal?.throwIfAborted();
    const { expiration, ...keys } = await keepingAlive(orAborted(held.get(), options?.signal));
    // A copy: SDKs write into what they are given.
    return { ...keys, expiration: new Date(expiration) };
  };
}

async function withinDeadline({ clock, timeoutMs, signal, obtain }: ProviderParts) {
  const deadline = clock.deadline(timeoutMs, signal);
  try {
    return await orAborted(obtain(deadline.signal), deadline.signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (!deadline.signal.aborted) throw error;
    const detail = `There are no credentials after ${timeoutMs / 1000} s.`;
    throw new TokenBrokerError('credentials_timeout', detail, { retryable: true });
  } finally {
    deadline.release();
  }
}
