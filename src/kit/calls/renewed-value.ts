import { equalJitter } from '../timing/backoff.ts';
import type { Clock, Timer } from '../timing/clock.ts';
import { ageMs, type Moment, momentAt, remainingMs } from '../timing/moment.ts';

/** Something that is good until a certain instant. */
export interface Perishable<Value> {
  readonly value: Value;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface RenewedValueOptions<Value> {
  readonly clock: Clock;
  /** Gets a new one, within a deadline of its own. */
  readonly obtain: () => Promise<Perishable<Value>>;
  /** After how long a value that lives so long is renewed; asked for each value, so it may vary. */
  readonly renewAfterMs: (lifeMs: number) => number;
  /** What has no more than this left is not given out. Default 0. */
  readonly leastMs?: number;
  /** Whether this failure to renew takes back the value at hand as well. Default: none does. */
  readonly withdraws?: (error: unknown) => boolean;
  /** How long to wait after a failure; `failures` in a row went before it. Default: 10 to 20 s. */
  readonly pauseMs?: (error: unknown, failures: number) => number;
  /**
   * `demand`, the default: a value that nobody asked for is not renewed, and where there is none, whoever asks has it
   * tried at once. `readiness`: it is renewed for as long as it lives, and a pause holds for those who ask as well.
   */
  readonly renewedOn?: 'demand' | 'readiness';
  readonly observer?: (failure: RenewalFailure<Value>) => void;
  /** From 0 to 1, for jitter. */
  readonly random?: () => number;
}

export interface RenewalFailure<Value> {
  readonly error: unknown;
  readonly pauseMs: number;
  /** What is given out meanwhile. */
  readonly held: Value | undefined;
}

/**
 * One value that expires, renewed in the background while the old one still holds.
 *
 * However many ask, one attempt to get it is under way at a time. When renewing fails, the value at hand is
 * given out until it ends.
 */
export class RenewedValue<Value> {
  readonly #options: RenewedValueOptions<Value>;
  readonly #clock: Clock;
  readonly #leastMs: number;
  readonly #isReadiness: boolean;
  #held: Held<Value> | undefined;
  #inFlight: Promise<Held<Value>> | undefined;
  #timer: Timer | undefined;
  #renewing: 'on' | 'off' = 'on';
  #failures = 0;
  #failure: unknown;
  /** Monotonic: no further attempt in the background before that. */
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: RenewedValueOptions<Value>) {
    this.#options = options;
    this.#clock = options.clock;
    this.#leastMs = options.leastMs ?? 0;
    this.#isReadiness = options.renewedOn === 'readiness';
  }

  /** Rejects as `obtain` does when there is nothing that still holds. */
  async get(): Promise<Value> {
    const held = this.#current();
    if (held !== undefined && (this.#paused || this.#remainingMs(held.ends) > held.worthMs)) {
      // The timer does that, unless it was late or nobody wanted the value when it fired.
      if (!this.#paused && this.#remainingMs(held.renewal) <= 0) this.#renewAhead();
      return give(held);
    }
    if (this.#isReadiness && this.#paused) throw this.#failure;
    try {
      return give(await this.#renew());
    } catch (error) {
      const kept = this.#current();
      if (kept === undefined) throw error;
      return give(kept);
    }
  }

  /** Forgets this value, if it is at hand and at least `minAgeMs` old: someone refused it before its time. */
  discard(value: Value, minAgeMs: number): void {
    const held = this.#held;
    if (held?.value !== value || ageMs(this.#clock, held.obtained) < minAgeMs) return;
    this.#drop();
  }

  /** Ends renewing in the background. */
  stop(): void {
    this.#renewing = 'off';
    this.#timer?.cancel();
  }

  get #paused(): boolean {
    return this.#clock.monotonic() < this.#pausedUntil;
  }

  #renewAhead(): void {
    this.#renew().catch(() => {});
  }

  #renew(): Promise<Held<Value>> {
    this.#inFlight ??= this.#obtain().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #obtain(): Promise<Held<Value>> {
    try {
      const held = this.#hold(await this.#options.obtain());
      this.#failures = 0;
      this.#pausedUntil = Number.NEGATIVE_INFINITY;
      this.#held = held;
      this.#renewIn(this.#remainingMs(held.renewal));
      return held;
    } catch (error) {
      if (this.#options.withdraws?.(error) === true) this.#drop();
      this.#pause(error);
      throw error;
    }
  }

  #hold({ value, expiresAt }: Perishable<Value>): Held<Value> {
    const now = this.#clock.now();
    const lifeMs = expiresAt - now;
    return {
      value,
      obtained: momentAt(this.#clock, now),
      renewal: momentAt(this.#clock, now + this.#options.renewAfterMs(lifeMs)),
      ends: momentAt(this.#clock, expiresAt),
      worthMs: Math.min(60_000, lifeMs / 4),
      wanted: false,
    };
  }

  #pause(error: unknown): void {
    const pauseMs =
      this.#options.pauseMs?.(error, this.#failures) ??
      equalJitter(longestPauseMs, this.#options.random ?? Math.random);
    this.#failures += 1;
    this.#failure = error;
    this.#pausedUntil = this.#clock.monotonic() + pauseMs;
    const held = this.#current();
    if (held !== undefined) this.#renewIn(pauseMs);
    this.#options.observer?.({ error, pauseMs, held: held?.value });
  }

  #renewIn(delayMs: number): void {
    this.#timer?.cancel();
    // What was under way when it was stopped comes here as well.
    if (this.#renewing === 'off') return;
    this.#timer = this.#clock.after(delayMs, () => {
      if (this.#isReadiness || this.#held?.wanted === true) this.#renewAhead();
    });
  }

  #current(): Held<Value> | undefined {
    const held = this.#held;
    return held !== undefined && this.#remainingMs(held.ends) > this.#leastMs ? held : undefined;
  }

  #remainingMs(moment: Moment): number {
    return remainingMs(this.#clock, moment);
  }

  #drop(): void {
    this.#timer?.cancel();
    this.#held = undefined;
  }
}

interface Held<Value> {
  readonly value: Value;
  readonly obtained: Moment;
  /** When to get the next one in the background. */
  readonly renewal: Moment;
  readonly ends: Moment;
  /** With less left than this, a new one is worth waiting for. */
  readonly worthMs: number;
  wanted: boolean;
}

const longestPauseMs = 20_000;

function give<Value>(held: Held<Value>): Value {
  held.wanted = true;
  return held.value;
}
