import type { AuditRecord, ExchangeRecord } from '../core/audit-record.ts';
import type { Clock, Timer } from '../core/clock.ts';
import type { AuditLog } from '../core/ports.ts';

export interface RepeatedDenialsOptions {
  readonly log: AuditLog;
  readonly clock: Clock;
  readonly observer?: RepeatedDenialsObserver;
  /** How long repeats are counted before their summary is written. */
  readonly windowMs?: number;
  /** Kinds that are counted at a time. As many summaries may wait for the log. */
  readonly maxKinds?: number;
  /** Estimated size of either. */
  readonly maxBytes?: number;
}

export interface RepeatedDenialsObserver {
  /** A denial was counted instead of recorded. */
  onRepeat?(): void;
  /** The log did not take these counts before the end. */
  onLost?(denials: number): void;
}

/** What the log commits at once: requests do not wait for more than one such group. */
const maxBatch = 1000;

/**
 * Keeps a caller that is denied again and again from filling the audit log (threat T55): AWS SDKs repeat a denied
 * request three to five times, a second apart, each time that they need credentials.
 *
 * The first denial of a kind is recorded as ever, in full and before its answer. Equal ones of the next ten
 * seconds are counted, and one record says how many there were. Denials are of one kind if their records differ
 * in nothing but time and request id. All other records pass through.
 *
 * Counts are exact. Only a process that is killed takes some with it: those of one window, and what a log that
 * is away has not taken yet. They are of requests that got nothing, and the first one of each kind is on record.
 */
export class RepeatedDenials implements AuditLog {
  readonly #log: AuditLog;
  readonly #clock: Clock;
  readonly #observer: RepeatedDenialsObserver;
  readonly #windowMs: number;
  readonly #maxKinds: number;
  readonly #maxBytes: number;
  /** Those whose window ends first come first. */
  readonly #kinds = new Map<string, Kind>();
  /** Not yet accepted by the log, with their size. Tried again as they are, so that one written twice shows. */
  readonly #summaries = new Map<ExchangeRecord, number>();
  #kindBytes = 0;
  #summaryBytes = 0;
  #writing: Promise<void> | undefined;
  #timer: Timer | undefined;
  #phase: 'counting' | 'stopped' = 'counting';

  constructor(options: RepeatedDenialsOptions) {
    const { log, clock, observer = {}, windowMs = 10_000 } = options;
    const { maxKinds = 10_000, maxBytes = 16 * 1024 * 1024 } = options;
    this.#log = log;
    this.#clock = clock;
    this.#observer = observer;
    this.#windowMs = windowMs;
    this.#maxKinds = maxKinds;
    this.#maxBytes = maxBytes;
  }

  /** Resolves once the record is durable, or the one that it repeats. */
  record(record: AuditRecord): Promise<void> {
    if (record.type !== 'exchange' || record.outcome !== 'denied' || this.#phase === 'stopped') {
      return this.#log.record(record);
    }
    const key = kindOf(record);
    const kind = this.#kinds.get(key);
    if (kind === undefined) return this.#recordFirst(key, record);
    // Nothing repeats what is not on record. By the time it is, its kind may have given way to another.
    if (kind.pending !== undefined) return kind.pending.then(() => this.record(record));
    kind.count(record);
    this.#observer.onRepeat?.();
    return counted;
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

  #recordFirst(key: string, record: ExchangeRecord): Promise<void> {
    const pending = this.#log.record(record);
    if (!this.#makeRoom(key.length)) return pending;
    const kind = new Kind(record, pending, this.#clock.monotonic() + this.#windowMs);
    this.#kinds.set(key, kind);
    this.#kindBytes += key.length;
    this.#watch();
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
        this.#endWindow(key, kind);
      }
      void this.#write();
    });
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

/** Everything that a record says, but for when and under which id: what is added to records one day counts too. */
function kindOf(record: ExchangeRecord): string {
  return JSON.stringify({ ...record, time: undefined, requestId: undefined });
}

const maxRequestIds = 16;

class Kind {
  /** On the clock's monotonic scale. */
  readonly endsAt: number;
  /** Until the first one is durable. */
  pending: Promise<void> | undefined;
  readonly #first: ExchangeRecord;
  readonly #requestIds: string[] = [];
  #count = 0;
  #from = '';
  #to = '';

  constructor(first: ExchangeRecord, pending: Promise<void>, endsAt: number) {
    this.#first = first;
    this.pending = pending;
    this.endsAt = endsAt;
  }

  count({ time, requestId }: ExchangeRecord): void {
    if (this.#count === 0) this.#from = time;
    this.#to = time;
    this.#count += 1;
    if (this.#requestIds.length < maxRequestIds) this.#requestIds.push(requestId);
  }

  summary(now: number): ExchangeRecord | undefined {
    if (this.#count === 0) return undefined;
    const [count, from, to, requestIds] = [this.#count, this.#from, this.#to, this.#requestIds];
    return {
      ...this.#first,
      time: new Date(now).toISOString(),
      repeats: { count, from, to, requestIds },
    };
  }
}
