import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.ts';
import type { IssueResult } from '../core/credentials.ts';
import { BrokerError } from '../core/errors.ts';
import type { CredentialIssuer, Urgency } from '../core/ports.ts';
import type { SessionPlan } from '../core/session.ts';
import { AdaptiveBucket } from '../resilience/adaptive-bucket.ts';
import type { Rate } from '../resilience/token-bucket.ts';

export interface AccountLimitOptions {
  readonly issuer: CredentialIssuer;
  /** Of one account, while STS does not throttle it. */
  readonly rate: Rate;
  readonly clock: Clock;
  readonly onRefused?: () => void;
}

/** What must be left for callers who wait, as a share of the burst. */
const keptForWaiting = 0.5;
const maxAccounts = 10_000;

/**
 * Spends the STS quota of an account, which others need too, no faster than it allows (T46): one bucket for each
 * account that roles belong to, slowed down by what STS says.
 *
 * Callers who wait come first. A renewal in the background has a session that is still good, so it can wait for
 * a quieter moment; once that session is too short the caller waits for its renewal, and it is in the background
 * no more.
 */
export class AccountLimit implements CredentialIssuer {
  readonly #issuer: CredentialIssuer;
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #onRefused: () => void;
  readonly #buckets = new LRUCache<string, AdaptiveBucket>({ max: maxAccounts });

  constructor({ issuer, rate, clock, onRefused }: AccountLimitOptions) {
    this.#issuer = issuer;
    this.#rate = rate;
    this.#clock = clock;
    this.#onRefused = onRefused ?? (() => {});
  }

  /** @throws BrokerError `sts_throttled` before anything is sent, or as the decorated issuer does. */
  async issue(
    plan: SessionPlan,
    token: string,
    urgency: Urgency = 'waiting',
  ): Promise<IssueResult> {
    const bucket = this.#bucketOf(plan);
    if (!bucket.take(urgency === 'waiting' ? 0 : keptForWaiting)) {
      this.#onRefused();
      throw new BrokerError('sts_throttled', {
        detail:
          'Too many new sessions are asked for in the account of the role. Try again after the time in Retry-After.',
        reason: 'account_limit',
        retryAfterSeconds: Math.max(1, Math.ceil(bucket.waitMs / 1000)),
      });
    }
    const startedAt = this.#clock.monotonic();
    try {
      return await this.#issuer.issue(plan, token, urgency);
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'sts_throttled')
        bucket.slowDown(startedAt);
      throw error;
    }
  }

  #bucketOf({ roleArn }: SessionPlan): AdaptiveBucket {
    // arn:aws:iam::123456789012:role/…
    const account = roleArn.split(':', 5)[4] ?? '';
    let bucket = this.#buckets.get(account);
    if (bucket === undefined) {
      bucket = new AdaptiveBucket(this.#rate, this.#clock);
      this.#buckets.set(account, bucket);
    }
    return bucket;
  }
}
