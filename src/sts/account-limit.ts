import { accountOf } from '../core/aws-names.ts';
import { callerKey } from '../core/caller.ts';
import type { IssueResult } from '../core/credentials.ts';
import { BrokerError } from '../core/errors.ts';
import type { CredentialIssuer, Urgency } from '../core/ports.ts';
import type { SessionPlan } from '../core/session/session.ts';
import { boundedMap } from '../kit/calls/bounded-map.ts';
import { AdaptiveBucket } from '../kit/rates/adaptive-bucket.ts';
import { KeyedBuckets } from '../kit/rates/keyed-buckets.ts';
import type { Rate } from '../kit/rates/token-bucket.ts';
import type { Clock } from '../kit/timing/clock.ts';

export interface AccountLimitOptions {
  readonly issuer: CredentialIssuer;
  /** Of one account, while STS does not throttle it. */
  readonly rate: Rate;
  readonly clock: Clock;
  readonly onRefused?: () => void;
}

/** What must be left for callers who wait, as a share of the burst. */
const keptForWaiting = 0.5;
/** Of the rate and the burst of an account: no caller can take more, whatever sessions it thinks of. */
const shareOfOneCaller = 0.5;
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
  readonly #buckets = boundedMap<AdaptiveBucket>(maxAccounts);
  /** By account and caller. */
  readonly #shares: KeyedBuckets;

  constructor({ issuer, rate, clock, onRefused }: AccountLimitOptions) {
    this.#issuer = issuer;
    this.#rate = rate;
    this.#clock = clock;
    this.#onRefused = onRefused ?? (() => {});
    const share = {
      perSecond: rate.perSecond * shareOfOneCaller,
      burst: Math.max(1, rate.burst * shareOfOneCaller),
    };
    this.#shares = new KeyedBuckets({ rate: share, clock });
  }

  /** @throws BrokerError `sts_throttled` before anything is sent, or as the decorated issuer does. */
  async issue(
    plan: SessionPlan,
    token: string,
    urgency: Urgency = 'waiting',
  ): Promise<IssueResult> {
    const account = accountOf(plan.roleArn);
    const share = this.#shares.of(`${account} ${callerKey(plan.caller)}`);
    if (!share.take()) throw this.#refusal('account_limit_of_caller', share.waitMs);
    const bucket = this.#bucketOf(account);
    if (!bucket.take(urgency === 'waiting' ? 0 : keptForWaiting)) {
      throw this.#refusal('account_limit', bucket.waitMs);
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

  #refusal(reason: 'account_limit' | 'account_limit_of_caller', waitMs: number): BrokerError {
    this.#onRefused();
    return new BrokerError('sts_throttled', {
      detail:
        'Too many new sessions are asked for in the account of the role. Try again after the time in Retry-After.',
      reason,
      retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
    });
  }

  #bucketOf(account: string): AdaptiveBucket {
    let bucket = this.#buckets.get(account);
    if (bucket === undefined) {
      bucket = new AdaptiveBucket(this.#rate, this.#clock);
      this.#buckets.set(account, bucket);
    }
    return bucket;
  }
}
