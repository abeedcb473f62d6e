import type { Clock, Timer } from '../timing/clock.ts';

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
  /** After which part of its life a value is renewed, from 0 to 1; asked for each value, so it may vary. */
  readonly renewAt: () => number;
  /** Whether this failure to renew takes back the value at hand as well. Default: none does. */
  readonly withdraws?: (error: unknown) => boolean;
  /** From 0 to 1, for jitter. */
  readonly random?: () => number;
}

/**
 * One value that expires, renewed in the background while the old one still holds.
 *
 * However many ask, one attempt to get it is under way at a time. When renewing fails, the value at hand is
 * given out until it ends. A value that nobody asked for is not renewed, so an idle process falls silent.
 */
export class RenewedValue<Value> {
  readonly #options: RenewedValueOptions<Value>;
  readonly #clock: Clock;
  readonly #random: () => number;
  #held: Held<Value> | undefined;
  #inFlight: Promise<Held<Value>> | undefined;
  #timer: Timer | undefined;
  #renewing: 'on' | 'off' = 'on';
  /** Monotonic: no further attempt before that while there is something to give out. */
  #pausedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: RenewedValueOptions<Value>) {
    this.#options = options;
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
  }

  /** Rejects as `obtain` does when there is nothing that still holds. */
  async get(): Promise<Value> {
    const held = this.#current();
    if (held !== undefined && (this.#paused || this.#remainingMs(held) > held.leastMs)) {
      // The timer does that, unless it was late or nobody wanted the value when it fired.
      if (!this.#paused && this.#clock.monotonic() >= held.renewAt) this.#renewAhead();
      return give(held);
    }
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
    if (held?.value !== value || this.#clock.monotonic() - held.obtainedAt < minAgeMs) return;
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
      this.#pausedUntil = Number.NEGATIVE_INFINITY;
      this.#held = held;
      this.#renewIn(held.renewAt - held.obtainedAt);
      return held;
    } catch (error) {
      if (this.#options.withdraws?.(error) === true) this.#drop();
      else this.#pause();
      throw error;
    }
  }

  #hold({ value, expiresAt }: Perishable<Value>): Held<Value> {
    const obtainedAt = this.#clock.monotonic();
    const lifeMs = expiresAt - this.#clock.now();
    return {
      value,
      expiresAt,
      obtainedAt,
      endsAt: obtainedAt + lifeMs,
      renewAt: obtainedAt + lifeMs * this.#options.renewAt(),
      leastMs: Math.min(60_000, lifeMs / 4),
      wanted: false,
    };
  }

  #pause(): void {
    const pauseMs = longestPauseMs * (0.5 + this.#random() / 2);
    this.#pausedUntil = this.#clock.monotonic() + pauseMs;
    if (this.#current() !== undefined) this.#renewIn(pauseMs);
  }

  #renewIn(delayMs: number): void {
    this.#timer?.cancel();
    // What was under way when it was stopped comes here as well.
    if (this.#renewing === 'off') return;
    this.#timer = this.#clock.after(delayMs, () => {
      if (this.#held?.wanted === true) this.#renewAhead();
    });
  }

  #current(): Held<Value> | undefined {
    return this.#held !== undefined && this.#remainingMs(this.#held) > 0 ? this.#held : undefined;
  }

  /** By the clock that says less: one that was set back must not bring an ended value back to life. */
  #remainingMs({ expiresAt, endsAt }: Held<Value>): number {
    return Math.min(expiresAt - this.#clock.now(), endsAt - this.#clock.monotonic());
  }

  #drop(): void {
    this.#timer?.cancel();
    this.#held = undefined;
  }
}

interface Held<Value> extends Perishable<Value> {
  /** Monotonic. */
  readonly obtainedAt: number;
  /** Monotonic. */
  readonly endsAt: number;
  /** Monotonic: when to get the next one in the background. */
  readonly renewAt: number;
  /** With less left than this, a new one is worth waiting for. */
  readonly leastMs: number;
  wanted: boolean;
}

const longestPauseMs = 20_000;

function give<Value>(held: Held<Value>): Value {
  held.wanted = true;
  return held.value;
}
