/** When everything is to be read again. All instants are monotonic milliseconds. */

import { backoffMs } from './backoff.ts';

export interface ReloadScheduleOptions {
  readonly intervalMs: number;
  readonly random: () => number;
}

/** A reload reads the whole table: not every two seconds for one that will be refused again. */
const refusedBackoff = { baseMs: 4_000, capMs: 60_000 };

export class ReloadSchedule {
  readonly #intervalMs: number;
  readonly #random: () => number;
  #dueAt = Number.NEGATIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;
  #refusals = 0;

  constructor({ intervalMs, random }: ReloadScheduleOptions) {
    this.#intervalMs = intervalMs;
    this.#random = random;
  }

  isDue(now: number): boolean {
    return now >= this.#dueAt;
  }

  isTooSoon(now: number): boolean {
    return now < this.#notBefore;
  }

  succeeded(now: number): void {
    this.#refusals = 0;
    this.#notBefore = now;
    // Replicas that start together must not read everything together for ever.
    this.#dueAt = now + this.#intervalMs * (0.9 + 0.2 * this.#random());
  }

  refused(now: number): void {
    const halfJitter = () => 0.5 + 0.5 * this.#random();
    this.#notBefore = now + backoffMs(this.#refusals, refusedBackoff, halfJitter);
    this.#dueAt = this.#notBefore;
    this.#refusals += 1;
  }
}
