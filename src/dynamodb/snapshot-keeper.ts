/** Decides when the policy goes to disk: at once after a change, now and then after a mere contact. */

import type { Clock, Timer } from '../kit/timing/clock.ts';
import {
  readSnapshotFile,
  type SavedPolicy,
  type SnapshotFileContent,
  type SnapshotReading,
  writeSnapshotFile,
} from './snapshot-file.ts';

export interface SnapshotKeeperOptions {
  readonly path: string;
  readonly reading: SnapshotReading;
  readonly clock: Clock;
  /** After each write; `error` is why it failed. */
  readonly onWritten: (result: 'written' | 'failed', error?: unknown) => void;
}

const contactIntervalMs = 60_000;
/** Rest after a write, as a multiple of what it took: a big policy must not keep the disk busy. */
const restFactor = 20;

export class SnapshotKeeper {
  readonly #path: string;
  readonly #reading: SnapshotReading;
  readonly #clock: Clock;
  readonly #onWritten: SnapshotKeeperOptions['onWritten'];
  #next: SavedPolicy | undefined;
  #writing: Promise<void> | undefined;
  #lastWrite = { endedAt: Number.NEGATIVE_INFINITY, tookMs: 0 };
  #timer: Timer | undefined;

  constructor({ path, reading, clock, onWritten }: SnapshotKeeperOptions) {
    this.#path = path;
    this.#reading = reading;
    this.#clock = clock;
    this.#onWritten = onWritten;
  }

  read(): Promise<SnapshotFileContent> {
    return readSnapshotFile(this.#path, this.#reading);
  }

  /** `changed`: more than the time of contact is new. */
  keep(policy: SavedPolicy, changed: boolean): void {
    const sinceLastMs = this.#clock.monotonic() - this.#lastWrite.endedAt;
    if (!changed && this.#next === undefined && sinceLastMs < contactIntervalMs) return;
    this.#next = policy;
    if (this.#writing !== undefined || this.#timer !== undefined) return;
    const restMs = this.#lastWrite.tookMs * restFactor - sinceLastMs;
    if (restMs <= 0) this.#start();
    else this.#timer = this.#clock.after(restMs, () => this.#start());
  }

  /** Writes what is still to be written. Never rejects: `onWritten` hears of failures. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    await this.#writing;
    this.#timer?.cancel();
    this.#start();
    await this.#writing;
  }

  #start(): void {
    this.#timer = undefined;
    const policy = this.#next;
    if (policy === undefined || this.#writing !== undefined) return;
    this.#next = undefined;
    this.#writing = this.#write(policy);
  }

  async #write(policy: SavedPolicy): Promise<void> {
    const startedAt = this.#clock.monotonic();
    const [result, error] = await writeSnapshotFile(this.#path, policy, this.#reading).then(
      () => ['written'] as const,
      (failure: unknown) => ['failed', failure] as const,
    );
    const endedAt = this.#clock.monotonic();
    this.#lastWrite = { endedAt, tookMs: endedAt - startedAt };
    this.#writing = undefined;
    this.#onWritten(result, error);
    // What came in meanwhile.
    if (this.#next !== undefined) this.keep(this.#next, true);
  }
}
