/** Keeps the end of the audit disk for administrators: whoever fills it must not be able to prevent a freeze. */

import { statfs } from 'node:fs/promises';
import type { AuditRecord } from '../core/records/audit-record.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { type RecordPurpose, recordPurposes } from './record-purpose.ts';
import { refusalKinds } from './refusal-kinds.ts';

export function purposeOf(record: AuditRecord): RecordPurpose {
  const counted = refusalKinds(record);
  if (counted !== undefined) return counted.purpose;
  return typesOfRequests.has(record.type) ? 'requests' : 'administration';
}

const typesOfRequests: ReadonlySet<AuditRecord['type']> = new Set([
  'exchange',
  'renewal',
  'web_identity',
]);

/** The part of the reserve that must be free for a record of this purpose. */
const shareKept: Readonly<Record<RecordPurpose, number>> = {
  refusals_of_strangers: 1,
  refusals_of_callers: 0.75,
  requests: 0.5,
  administration: 0,
};

/** Of a small volume no more than this is kept. */
const maxShareOfVolume = 0.25;
const measureEveryMs = 1_000;
/** While something is withheld: somebody waits for room. */
const measureSoonMs = 250;

export interface DiskSpace {
  readonly freeBytes: number;
  /** How much of it is kept. */
  readonly reserveBytes: number;
}

export interface RoomEvent extends DiskSpace {
  /** What there is no room for at the moment. */
  readonly withheld: readonly RecordPurpose[];
}

export interface DiskRoomOptions {
  readonly directory: string;
  readonly reserveBytes: number;
  readonly clock: Clock;
  /** The list of what is withheld has changed. */
  readonly onChange?: ((event: RoomEvent) => void) | undefined;
}

/**
 * What is free is measured once a second, four times while something is withheld, and what this log writes in between is taken off at once. What others
 * write to the same disk shows a second late: then a write fails, and nothing leaves without its record.
 */
export class DiskRoom {
  readonly #options: DiskRoomOptions;
  #freeBytes: number | undefined;
  #reserveBytes = 0;
  #measuredAtMs = Number.NEGATIVE_INFINITY;
  #measuring: Promise<void> | undefined;
  #withheld = 0;

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  /** Undefined where the file system does not tell. */
  get space(): DiskSpace | undefined {
    if (this.#freeBytes === undefined) return undefined;
    return { freeBytes: this.#freeBytes, reserveBytes: this.#reserveBytes };
  }

  hasRoomFor(purpose: RecordPurpose): boolean {
    void this.refresh();
    return this.#allows(purpose);
  }

  /** Never two at a time: a disk that hangs must hold no more than one thread. */
  refresh(): Promise<void> {
    const { clock } = this.#options;
    if (this.#measuring !== undefined) return this.#measuring;
    const dueMs = this.#withheld > 0 ? measureSoonMs : measureEveryMs;
    if (clock.monotonic() - this.#measuredAtMs < dueMs) return Promise.resolve();
    this.#measuredAtMs = clock.monotonic();
    this.#measuring = this.#measure().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  spend(bytes: number): void {
    if (this.#freeBytes === undefined) return;
    this.#freeBytes = Math.max(0, this.#freeBytes - bytes);
    this.#tell();
  }

  async #measure(): Promise<void> {
    const { directory, reserveBytes } = this.#options;
    try {
      const { bsize, blocks, bavail } = await statfs(directory);
      if (blocks === 0) return;
      this.#freeBytes = bavail * bsize;
      this.#reserveBytes = Math.min(reserveBytes, blocks * bsize * maxShareOfVolume);
      this.#tell();
    } catch {
      // A directory that is gone or hangs is found by the next write.
    }
  }

  #allows(purpose: RecordPurpose): boolean {
    return (
      this.#freeBytes === undefined || this.#freeBytes >= this.#reserveBytes * shareKept[purpose]
    );
  }

  #tell(): void {
    const freeBytes = this.#freeBytes ?? 0;
    const withheld = recordPurposes.filter((purpose) => !this.#allows(purpose));
    if (withheld.length === this.#withheld) return;
    this.#withheld = withheld.length;
    this.#options.onChange?.({ freeBytes, reserveBytes: this.#reserveBytes, withheld });
  }
}
