import type { Clock } from '../kit/timing/clock.ts';

/**
 * Time in which the process ran, told by looks at even intervals: one that comes late counts as two. A process that stood still, because its
 * processor was taken or a turn of its event loop took long, has not waited for its disk meanwhile; when it goes on, its
 * timers come first, and what the disk has answered is read after them.
 */
export class RunningTime {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #mostMs: number;
  #ms = 0;
  #lookedAt = 0;

  /** `intervalMs`: between two looks. */
  constructor(clock: Pick<Clock, 'monotonic'>, intervalMs: number) {
    this.#clock = clock;
    this.#mostMs = 2 * intervalMs;
  }

  /** From now on it is looked. */
  begin(): void {
    this.#lookedAt = this.#clock.monotonic();
  }

  look(): void {
    this.#ms = this.ms;
    this.#lookedAt = this.#clock.monotonic();
  }

  get ms(): number {
    return this.#ms + Math.min(this.#clock.monotonic() - this.#lookedAt, this.#mostMs);
  }
}
