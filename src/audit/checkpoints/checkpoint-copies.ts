import type { KeyObject } from 'node:crypto';
import { atMost } from '../../kit/timing/at-most.ts';
import { backoffMs } from '../../kit/timing/backoff.ts';
import type { Clock, Timer } from '../../kit/timing/clock.ts';
import { withDeadline } from '../../kit/timing/with-deadline.ts';
import { errorNameOf } from './error-name.ts';
import { type CopyFailure, LockedBucketError } from './locked-bucket-error.ts';

export interface CheckpointCopy {
  readonly chain: string;
  readonly size: number;
  readonly note: string;
  /** Epoch milliseconds: retention is counted from then. */
  readonly signedAtMs: number;
  /** The key that has signed it. */
  readonly publicKey: KeyObject;
}

/** Storage that nobody can overwrite. Calls end when the signal says so. */
export interface WriteOnceStore {
  /** @throws LockedBucketError if it is no such storage; other errors say nothing about that. */
  check(signal: AbortSignal): Promise<void>;
  /** Resolves once the copy is there, and locked. @throws LockedBucketError, or the error of the storage */
  keep(copy: CheckpointCopy, signal: AbortSignal): Promise<void>;
  stop(): void;
}

export interface CopyObserver {
  onStored?(event: { readonly chain: string; readonly size: number }): void;
  onFailure?(event: { readonly failure: CopyFailure; readonly errorCode: string }): void;
}

export interface CheckpointCopiesOptions {
  readonly store: WriteOnceStore;
  /** For one copy, all calls included. */
  readonly deadlineMs: number;
  readonly clock: Clock;
  readonly observer: CopyObserver;
}

const retryPauses = { baseMs: 5_000, capMs: 60_000 };

/**
 * Brings checkpoints to storage that is out of reach for whoever has this machine. Nobody waits for it. While the storage
 * is away only the newest one waits, for it covers what the others did.
 */
export class CheckpointCopies {
  readonly #options: CheckpointCopiesOptions;
  #newest: { readonly copy: CheckpointCopy; readonly offeredAtMs: number } | undefined;
  #waitingSinceMs: number | undefined;
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #failures: number = 0;

  constructor(options: CheckpointCopiesOptions) {
    this.#options = options;
  }

  /** @throws LockedBucketError if nothing would ever be locked there. That it is away is reported, and no reason. */
  async check(): Promise<void> {
    try {
      await this.#withDeadline((signal) => this.#options.store.check(signal));
    } catch (error) {
      if (error instanceof LockedBucketError) throw error;
      this.#report(error);
    }
  }

  offer(copy: CheckpointCopy): void {
    const offeredAtMs = this.#options.clock.monotonic();
    this.#waitingSinceMs ??= offeredAtMs;
    this.#newest = { copy, offeredAtMs };
    void this.#once();
  }

  /** How long the storage has lacked a checkpoint that was signed; 0 while it has the last one. */
  lagSeconds(): number {
    if (this.#waitingSinceMs === undefined) return 0;
    return (this.#options.clock.monotonic() - this.#waitingSinceMs) / 1000;
  }

  /** Brings what still waits, within the deadline. */
  async stop(): Promise<void> {
    const { clock, deadlineMs, store } = this.#options;
    await atMost(
      clock,
      deadlineMs,
      (this.#running ?? Promise.resolve()).then(() => this.#once()),
    );
    this.#retry?.cancel();
    store.stop();
  }

  #once(): Promise<void> {
    this.#retry?.cancel();
    this.#running ??= this.#copyNewest().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #copyNewest(): Promise<void> {
    while (this.#newest !== undefined) {
      const { copy } = this.#newest;
      try {
        await this.#withDeadline((signal) => this.#options.store.keep(copy, signal));
      } catch (error) {
        this.#report(error);
        this.#retryLater();
        return;
      }
      this.#failures = 0;
      if (this.#newest.copy === copy) this.#newest = undefined;
      this.#waitingSinceMs = this.#newest?.offeredAtMs;
      this.#options.observer.onStored?.({ chain: copy.chain, size: copy.size });
    }
  }

  #retryLater(): void {
    const pauseMs = backoffMs(this.#failures, retryPauses);
    this.#failures += 1;
    this.#retry = this.#options.clock.after(pauseMs, () => void this.#once());
  }

  #withDeadline(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { clock, deadlineMs } = this.#options;
    return withDeadline({ clock, timeoutMs: deadlineMs }, work);
  }

  #report(error: unknown): void {
    const failure = error instanceof LockedBucketError ? error.failure : 'not_stored';
    this.#options.observer.onFailure?.({ failure, errorCode: errorNameOf(error) });
  }
}
