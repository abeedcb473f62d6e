import type { Clock } from '../timing/clock.ts';

/** Read at each use: what it says may change while a bucket is in use. */
export interface Rate {
  /** Tokens that come back per second. */
  readonly perSecond: number;
  /** Tokens that may be saved up, and that are there from the start. */
  readonly burst: number;
}

/** Lets `burst` through at once and `perSecond` in the long run. Counts lazily, by the monotonic clock: no timer. */
export class TokenBucket {
  readonly #clock: Clock;
  #rate: Rate;
  #tokens: number;
  #countedAt: number;

  constructor(rate: Rate, clock: Clock) {
    this.#clock = clock;
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#countedAt = clock.monotonic();
  }

  /** Tokens that are there now. */
  get level(): number {
    const now = this.#clock.monotonic();
    const earned = ((now - this.#countedAt) / 1000) * this.#rate.perSecond;
    this.#countedAt = now;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + earned);
    return this.#tokens;
  }

  /** As one that nothing was taken from. */
  get isFull(): boolean {
    return this.level >= this.#rate.burst;
  }

  /** Takes a token, or that part of one, if it is there, and says whether. */
  take(amount = 1): boolean {
    if (this.level < amount) return false;
    this.#tokens -= amount;
    return true;
  }

  /** Time until a token is there, if nobody takes one before; 0 if one is there now. */
  get waitMs(): number {
    return Math.max(0, ((1 - this.level) / this.#rate.perSecond) * 1000);
  }

  /** From now on tokens come back at this rate; of those saved up, only what a second brings is kept. */
  slowDown(perSecond: number): void {
    this.setRate(perSecond);
    this.#tokens = Math.min(this.#tokens, perSecond);
  }

  /** From now on tokens come back at this rate; those saved up are kept. */
  setRate(perSecond: number): void {
    this.#tokens = this.level;
    this.#rate = { perSecond, burst: this.#rate.burst };
  }
}
