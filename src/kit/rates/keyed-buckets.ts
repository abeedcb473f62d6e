import type { LRUCache } from 'lru-cache';
import { boundedMap } from '../calls/bounded-map.ts';
import type { Clock } from '../timing/clock.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

export interface KeyedBucketsOptions {
  readonly rate: Rate;
  readonly clock: Clock;
  /** Beyond that the bucket that was not asked for longest is forgotten: its key starts with a full one again. */
  readonly maxKeys?: number;
}

/** A bucket for each key that anything was taken for. Not to be kept: the next one to ask for it may get another. */
export class KeyedBuckets {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #buckets: LRUCache<string, TokenBucket>;

  constructor({ rate, clock, maxKeys = 50_000 }: KeyedBucketsOptions) {
    this.#rate = rate;
    this.#clock = clock;
    this.#buckets = boundedMap(maxKeys);
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Undefined: nothing was taken, so it would be full. */
  known(key: string): TokenBucket | undefined {
    return this.#buckets.get(key);
  }

  of(key: string): TokenBucket {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      this.#forgetFull();
      bucket = new TokenBucket(this.#rate, this.#clock);
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }

  /** A full one says as much as none. More go than come, so that those stay alone that something is missing in. */
  #forgetFull(): void {
    for (let looks = 0; looks < 2; looks += 1) {
      const [oldest] = this.#buckets.rkeys();
      if (oldest === undefined || this.#buckets.peek(oldest)?.isFull !== true) return;
      this.#buckets.delete(oldest);
    }
  }
}
