/** When everything is to be read again. All instants are monotonic milliseconds. */

import { backoffMs, equalJitter, spread } from '../kit/timing/backoff.ts';

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
    this.#dueAt = now + spread(this.#intervalMs, this.#random);
  }

  refused(now: number): void {
    const longestMs = backoffMs(this.#refusals, refusedBackoff);
    this.#notBefore = now + equalJitter(longestMs, this.#random);
    this.#dueAt = this.#notBefore;
    this.#refusals += 1;
  }
}
