import type { Clock, Timer } from '../timing/clock.ts';

export interface LoadShedderOptions {
  readonly clock: Clock;
  /** How late the event loop may be, asked at each look. */
  readonly maxDelayMs: () => number;
  /** How late it is now; default: as late as the timer that asks. */
  readonly delayMs?: (() => number) | undefined;
  readonly random?: () => number;
  /** Told when shedding begins and ends. */
  readonly observer?: (shedding: boolean) => void;
}

const sampleMs = 100;
/** Samples in a row that begin shedding, or end it. */
const samplesInARow = 3;
/** Whatever makes the loop late may be none of the requests: some of them are always let in. */
const leastQuota = 0.05;
/** Of the quota that is left after one sample, however late the loop is. */
const leastShare = 0.5;

/**
 * Keeps the event loop on time by refusing requests, those of the busiest askers first.
 *
 * While shedding, each asker may have the same number of requests between two samples. That quota shrinks by as much as
 * the loop was too late twice in a row, to half at most, and grows by a fifth while it is well on time, so it settles where the
 * loop is just kept busy.
 * Whoever asks for less than the quota notices nothing. Below one it is the probability to be let in.
 */
export class LoadShedder {
  readonly #clock: Clock;
  readonly #maxDelayMs: () => number;
  readonly #delayMs: (() => number) | undefined;
  readonly #random: () => number;
  readonly #observe: (shedding: boolean) => void;
  #timer: Timer | undefined;
  #dueAt = 0;
  /** Requests per asker since the last sample. */
  readonly #seen = new Map<string, number>();
  #refused = 0;
  /** Undefined: not shedding. */
  #quota: number | undefined;
  /** Samples in a row that speak for a change. */
  #inARow = 0;
  /** At the sample before. */
  #lastDelayMs = 0;

  constructor({ clock, maxDelayMs, delayMs, random = Math.random, observer }: LoadShedderOptions) {
    this.#clock = clock;
    this.#maxDelayMs = maxDelayMs;
    this.#delayMs = delayMs;
    this.#random = random;
    this.#observe = observer ?? (() => {});
  }

  start(): void {
    this.#dueAt = this.#clock.monotonic() + sampleMs;
    this.#timer = this.#clock.after(sampleMs, () => {
      this.#sample(this.#delayMs?.() ?? this.#clock.monotonic() - this.#dueAt);
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  get shedding(): boolean {
    return this.#quota !== undefined;
  }

  /** To be asked once per request while shedding: whether this one is let in. */
  admits(asker: string): boolean {
    if (this.#quota === undefined) return true;
    const before = this.#seen.get(asker) ?? 0;
    this.#seen.set(asker, before + 1);
    const admitted = this.#random() < this.#quota - before;
    if (!admitted) this.#refused += 1;
    return admitted;
  }

  #sample(delayMs: number): void {
    const maxDelayMs = this.#maxDelayMs();
    // A collection of garbage or a neighbour of this process makes single turns late, which says nothing of how much is asked:
    // the quota would fall at each, and clients that wait as they are told come back a second later.
    const lateMs = Math.min(delayMs, this.#lastDelayMs);
    this.#lastDelayMs = delayMs;
    if (this.#quota === undefined) {
      this.#inARow = delayMs > maxDelayMs ? this.#inARow + 1 : 0;
      // How busy the askers are is known at the next sample.
      if (this.#inARow >= samplesInARow) this.#change(Number.POSITIVE_INFINITY);
      return;
    }
    const onTime = delayMs < maxDelayMs / 2;
    this.#inARow = onTime && this.#refused === 0 ? this.#inARow + 1 : 0;
    if (this.#inARow >= samplesInARow) this.#change(undefined);
    else if (lateMs > maxDelayMs) this.#quota = this.#reduced(this.#quota, maxDelayMs / lateMs);
    else if (onTime) this.#quota *= 1.2;
    this.#seen.clear();
    this.#refused = 0;
  }

  #reduced(quota: number, share: number): number {
    let busiest = 0;
    for (const requests of this.#seen.values()) busiest = Math.max(busiest, requests);
    if (busiest === 0) return quota;
    return Math.max(leastQuota, Math.min(quota, busiest) * Math.max(leastShare, share));
  }

  #change(quota: number | undefined): void {
    this.#quota = quota;
    this.#inARow = 0;
    this.#observe(quota !== undefined);
  }
}
