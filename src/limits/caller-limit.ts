import { callerKey } from '../core/caller.ts';
import type { CallerLimit } from '../core/ports.ts';
import { KeyedBuckets } from '../kit/rates/keyed-buckets.ts';
import type { Rate } from '../kit/rates/token-bucket.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { rateLimited } from './rate-limited.ts';

export interface CallerLimitOptions {
  readonly rate: Rate;
  readonly clock: Clock;
  readonly onRefused?: () => void;
}

/** One bucket for all tokens of a principal. */
export function callerLimit({ rate, clock, onRefused }: CallerLimitOptions): CallerLimit {
  const buckets = new KeyedBuckets({ rate, clock });
  return {
    charge(caller) {
      const bucket = buckets.of(callerKey(caller));
      if (bucket.take()) return;
      onRefused?.();
      throw rateLimited({
        reason: 'caller',
        detail:
          'This caller asks too often. Wait for the time in Retry-After, and use credentials until shortly before they expire.',
        rate,
        waitMs: bucket.waitMs,
      });
    },
  };
}
