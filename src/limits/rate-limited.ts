import { BrokerError, type RateLimit } from '../core/errors.ts';
import type { Rate } from '../kit/rates/token-bucket.ts';

export interface ExceededRate {
  /** Name of the policy, from a closed set. */
  readonly reason: RateLimit['policy'];
  readonly detail: string;
  readonly rate: Rate;
  readonly waitMs: number;
}

export function rateLimited({ reason, detail, rate, waitMs }: ExceededRate): BrokerError {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new BrokerError('rate_limited', {
    reason,
    detail,
    retryAfterSeconds,
    rateLimit: {
      policy: reason,
      quota: rate.burst,
      windowSeconds: Math.ceil(rate.burst / rate.perSecond),
    },
  });
}
