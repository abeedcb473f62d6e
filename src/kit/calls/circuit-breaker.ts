import type { Clock } from '../timing/clock.ts';

export interface CircuitBreakerOptions {
  readonly clock: Clock;
  /** Failures in a row that open the circuit. */
  readonly failureThreshold?: number;
  /** How long an open circuit admits nothing; afterwards it admits one probe at a time. */
  readonly openMs?: number;
}

/**
 * Keeps calls away from something that does not answer: they fail at once, and at most one probe per `openMs`
 * finds out whether it is back.
 *
 * Each `admit()` that answered true must be followed by exactly one `succeeded()` or `failed()`.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #failureThreshold: number;
  readonly #openMs: number;
  #failures = 0;
  /** Monotonic time of the next probe; undefined while the circuit is closed. */
  #probeAt: number | undefined;
  #probing: boolean = false;

  constructor({ clock, failureThreshold = 5, openMs = 1000 }: CircuitBreakerOptions) {
    this.#clock = clock;
    this.#failureThreshold = failureThreshold;
    this.#openMs = openMs;
  }

  /** Whether `admit()` would answer true now. */
  get admits(): boolean {
    if (this.#probeAt === undefined) return true;
    return !this.#probing && this.#clock.monotonic() >= this.#probeAt;
  }

  admit(): boolean {
    if (!this.admits) return false;
    if (this.#probeAt !== undefined) this.#probing = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#probeAt = undefined;
    this.#probing = false;
  }

  failed(): void {
    this.#failures += 1;
    // Calls admitted before the circuit opened may still fail while it is open: they do not delay the probe.
    const opens = this.#probeAt === undefined && this.#failures >= this.#failureThreshold;
    if (!opens && !this.#probing) return;
    this.#probing = false;
    this.#probeAt = this.#clock.monotonic() + this.#openMs;
  }
}
