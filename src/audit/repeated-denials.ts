import type { AuditLog } from '../core/ports.ts';
import type { AuditRecord } from '../core/records/audit-record.ts';
import type { Clock, Timer } from '../kit/timing/clock.ts';
import type { RecordPurpose } from './record-purpose.ts';
import {
  type RefusalKind,
  type RefusalKinds,
  type RefusalRecord,
  refusalKinds,
  strangersRecord,
} from './refusal-kinds.ts';

export interface RepeatedDenialsOptions {
  readonly log: AuditLog;
  readonly clock: Clock;
  readonly observer?: RepeatedDenialsObserver;
  /** How long repeats are counted before their summary is written. Default `refusalWindowMs`. */
  readonly windowMs?: number | undefined;
  /** Kinds that are counted at a time. As many summaries may wait for the log. */
  readonly maxKinds?: number;
  /** Estimated size of either. */
  readonly maxBytes?: number;
  /** Whether the disk has room for such records; while it has not, they are counted and wait. */
  readonly hasRoomFor?: (purpose: RecordPurpose) => boolean;
}

export interface RepeatedDenialsObserver {
  /** A denial was counted instead of recorded. */
  onRepeat?(): void;
  /** The log did not take these counts before the end. */
  onLost?(denials: number): void;
}

/** How long refusals that are alike are counted together, unless the disk has no room for them. */
export const refusalWindowMs = 10_000;

/** What the log commits at once: requests do not wait for more than one such group. */
const maxBatch = 1000;

/**
 * Keeps the audit log from being filled by whoever is refused again and again (T55, T70): AWS SDKs repeat a denied
 * request three to five times, a second apart, each time that they need credentials, and a stranger as often as he
 * likes.
 *
 * The first refusal of a kind is recorded as ever, in full and before its answer. Those like it of the next ten
 * seconds are counted, and one record says how many there were. refusal-kinds.ts says what is alike, and how many
 * kinds one caller, and all strangers together, may have at a time. All other records pass through.
 *
 * Counts are exact. Only a process that is killed takes some with it: those of one window, and what a log that
 * is away has not taken yet. They are of requests that got nothing, and the first one of each kind is on record,
 * unless the disk had no room left for such records.
 */
export class RepeatedDenials implements AuditLog {
  readonly #log: AuditLog;
  readonly #clock: Clock;
  readonly #observer: RepeatedDenialsObserver;
  readonly #windowMs: number;
  readonly #maxKinds: number;
  readonly #maxBytes: number;
  readonly #hasRoomFor: (purpose: RecordPurpose) => boolean;
  /** Those whose window ends first come first. */
  readonly #kinds = new Map<string, Kind>();
  /** How many of them each group has. */
  readonly #groups = new Map<string, number>();
  /** Not yet accepted by the log, with their size. Tried again as they are, so that one written twice shows. */
  readonly #summaries = new Map<RefusalRecord, number>();
  #kindBytes = 0;
  #summaryBytes = 0;
  #writing: Promise<void> | undefined;
  #timer: Timer | undefined;
  #phase: 'counting' | 'stopped' = 'counting';

  constructor(options: RepeatedDenialsOptions) {
    const { log, clock, observer = {}, windowMs = refusalWindowMs } = options;
    const { maxKinds = 10_000, maxBytes = 16 * 1024 * 1024 } = options;
    this.#log = log;
    this.#clock = clock;
    this.#observer = observer;
    this.#windowMs = windowMs;
    this.#maxKinds = maxKinds;
    this.#maxBytes = maxBytes;
    this.#hasRoomFor = options.hasRoomFor ?? (() => true);
  }

  /** Resolves once the record is durable, or the one that it repeats. */
  record(record: AuditRecord): Promise<void> {
    const kinds = this.#phase === 'stopped' ? undefined : refusalKinds(record);
    if (kinds === undefined) return this.#log.record(record);
    return this.#recordRefusal(kinds, record as RefusalRecord);
  }

  #recordRefusal(kinds: RefusalKinds, record: RefusalRecord): Promise<void> {
    const alike = this.#kindFor(kinds);
    const kind = this.#kinds.get(alike.key);
    if (kind === undefined) return this.#recordFirst(kinds, alike, record);
    // Nothing repeats what is not on record. By the time it is, its kind may have given way to another.
    if (kind.pending !== undefined) return kind.pending.then(() => this.record(record));
    kind.count(record);
    this.#observer.onRepeat?.();
    return counted;
  }

  /** A group that has its share of kinds gets no further one of its own. */
  #kindFor({ group, maxKinds, own, overflow }: RefusalKinds): RefusalKind {
    const mayHave = this.#kinds.has(own.key) || (this.#groups.get(group) ?? 0) < maxKinds;
    return mayHave ? own : overflow;
  }

  /** Writes what was counted, as far as the log takes it. Denials that come later are recorded one by one. */
  async stop(): Promise<void> {
    this.#phase = 'stopped';
    this.#timer?.cancel();
    for (const [key, kind] of this.#kinds) this.#endWindow(key, kind);
    await this.#writing;
    await this.#write();
    const lost = [...this.#summaries.keys()].reduce(
      (sum, { repeats }) => sum + (repeats?.count ?? 0),
      0,
    );
    if (lost > 0) this.#observer.onLost?.(lost);
  }

  #recordFirst(
    { by, group, purpose }: RefusalKinds,
    { key, common }: RefusalKind,
    refusal: RefusalRecord,
  ): Promise<void> {
    const first = by === 'stranger' ? strangersRecord(refusal) : refusal;
    const hasRoom = this.#hasRoomFor(purpose);
    const pending = hasRoom ? this.#log.record(first) : undefined;
    if (!this.#makeRoom(key.length)) return pending ?? this.#log.record(first);
    const endsAt = this.#clock.monotonic() + this.#windowMs;
    const kind = new Kind({ first: common(first), group, purpose, pending, endsAt });
    this.#kinds.set(key, kind);
    this.#groups.set(group, (this.#groups.get(group) ?? 0) + 1);
    this.#kindBytes += key.length;
    this.#watch();
    if (pending === undefined) {
      kind.count(refusal);
      this.#observer.onRepeat?.();
      return counted;
    }
    return pending.then(
      () => {
        kind.pending = undefined;
      },
      (error: unknown) => {
        if (this.#kinds.get(key) === kind) this.#endWindow(key, kind);
        throw error;
      },
    );
  }

  /** The oldest kind gives way to a new one; nothing new is counted while too much waits for the log. */
  #makeRoom(bytes: number): boolean {
    if (this.#summaries.size >= this.#maxKinds || this.#summaryBytes >= this.#maxBytes) {
      return false;
    }
    for (const [key, kind] of this.#kinds) {
      const isFull = this.#kinds.size >= this.#maxKinds || this.#kindBytes + bytes > this.#maxBytes;
      if (!isFull) break;
      this.#endWindow(key, kind);
      void this.#write();
    }
    return true;
  }

  #endWindow(key: string, kind: Kind): void {
    this.#kinds.delete(key);
    this.#kindBytes -= key.length;
    const others = (this.#groups.get(kind.group) ?? 1) - 1;
    if (others === 0) this.#groups.delete(kind.group);
    else this.#groups.set(kind.group, others);
    const summary = kind.summary(this.#clock.now());
    if (summary === undefined) return;
    this.#summaries.set(summary, key.length);
    this.#summaryBytes += key.length;
  }

  /** One timer for all windows, and for the next attempt to write what the log did not take. */
  #watch(): void {
    if (this.#timer !== undefined || this.#phase === 'stopped') return;
    const [oldest] = this.#kinds.values();
    if (oldest === undefined && this.#summaries.size === 0) return;
    const delayMs = oldest === undefined ? this.#windowMs : oldest.endsAt - this.#clock.monotonic();
    this.#timer = this.#clock.after(Math.max(0, delayMs), () => {
      this.#timer = undefined;
      const now = this.#clock.monotonic();
      for (const [key, kind] of this.#kinds) {
        if (kind.endsAt > now) break;
        if (this.#hasRoomFor(kind.purpose)) this.#endWindow(key, kind);
        else this.#extend(key, kind, now);
      }
      void this.#write();
    });
  }

  /** What there is no room for goes on counting: to wait as ever more records would need memory without end. */
  #extend(key: string, kind: Kind, now: number): void {
    kind.endsAt = now + this.#windowMs;
    this.#kinds.delete(key);
    this.#kinds.set(key, kind);
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeSummaries().finally(() => {
      this.#writing = undefined;
      this.#watch();
    });
    return this.#writing;
  }

  /** One alone first, unless this is the last chance: a log that is away is not asked for more. */
  async #writeSummaries(): Promise<void> {
    let accepted = true;
    let size = this.#phase === 'counting' ? 1 : maxBatch;
    for (; accepted && this.#summaries.size > 0; size = maxBatch) {
      const batch = [...this.#summaries].slice(0, size);
      const results = await Promise.allSettled(batch.map(([summary]) => this.#log.record(summary)));
      for (const [index, [summary, bytes]] of batch.entries()) {
        if (results[index]?.status === 'fulfilled') {
          this.#summaries.delete(summary);
          this.#summaryBytes -= bytes;
        } else accepted = false;
      }
    }
  }
}

const counted = Promise.resolve();

const maxRequestIds = 16;

interface KindOptions {
  readonly first: RefusalRecord;
  readonly group: string;
  readonly purpose: RecordPurpose;
  readonly pending: Promise<void> | undefined;
  readonly endsAt: number;
}

class Kind {
  /** On the clock's monotonic scale. */
  endsAt: number;
  readonly group: string;
  readonly purpose: RecordPurpose;
  /** Until the first one is durable. */
  pending: Promise<void> | undefined;
  readonly #first: RefusalRecord;
  readonly #requestIds: string[] = [];
  #count = 0;
  #from = '';
  #to = '';

  constructor({ first, group, purpose, pending, endsAt }: KindOptions) {
    this.#first = first;
    this.group = group;
    this.purpose = purpose;
    this.pending = pending;
    this.endsAt = endsAt;
  }

  count({ time, requestId }: RefusalRecord): void {
    if (this.#count === 0) this.#from = time;
    this.#to = time;
    this.#count += 1;
    if (this.#requestIds.length < maxRequestIds) this.#requestIds.push(requestId);
  }

  summary(now: number): RefusalRecord | undefined {
    if (this.#count === 0) return undefined;
    const [count, from, to, requestIds] = [this.#count, this.#from, this.#to, this.#requestIds];
    return {
      ...this.#first,
      time: new Date(now).toISOString(),
      repeats: { count, from, to, requestIds },
    };
  }
}
