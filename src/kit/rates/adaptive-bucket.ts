import type { Clock } from '../timing/clock.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

const floorPerSecond = 1;
/** From the floor back to the full rate. */
const regainMs = 60_000;

/**
 * Finds the rate that somebody else allows: halves its own when told to slow down, and regains it a little at a
 * time (additive increase, multiplicative decrease).
 */
export class AdaptiveBucket {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  /** As of `#slowedAt`. */
  #slowedTo: number;
  #slowedAt = Number.NEGATIVE_INFINITY;

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#bucket = new TokenBucket(rate, clock);
    this.#slowedTo = rate.perSecond;
  }

  /** At this moment; never below 1, never above the configured one. */
  get perSecond(): number {
    const { perSecond } = this.#rate;
    const regained = (perSecond * (this.#clock.monotonic() - this.#slowedAt)) / regainMs;
    return Math.min(perSecond, this.#slowedTo + regained);
  }

  get waitMs(): number {
    return this.#bucket.waitMs;
  }

  /** Takes a token if there is one, and the bucket is at least that full (0 to 1 of the burst). */
  take(atLeastFull = 0): boolean {
    this.#bucket.setRate(this.perSecond);
    return this.#bucket.level >= atLeastFull * this.#rate.burst && this.#bucket.take();
  }

  /**
   * Somebody who began at `startedAt` (monotonic) was told to slow down. Of those who were under way together only
   * the first counts: they all speak of the rate before it was halved.
   */
  slowDown(startedAt: number): void {
    if (startedAt <= this.#slowedAt) return;
    this.#slowedTo = Math.max(floorPerSecond, this.perSecond / 2);
    this.#slowedAt = this.#clock.monotonic();
    this.#bucket.slowDown(this.#slowedTo);
  }
}
