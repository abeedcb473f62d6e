import type { Clock, Timer } from '../kit/timing/clock.ts';
import {
  type AuditFailureReason,
  type AuditObserver,
  auditUnavailable,
  errorCodeOf,
} from './audit-sink.ts';

/** One commit: bounds how long the event loop is busy sealing it, and how much a blocked write holds. */
export const maxBatchRecords = 1024;
const maxBatchBytes = 1024 * 1024;

export interface GroupCommitOptions {
  /** Name in events. */
  readonly sink: string;
  readonly clock: Clock;
  /** How long a record may wait to be kept. */
  readonly deadlineMs: number;
  readonly maxQueuedRecords: number;
  readonly maxQueuedBytes: number;
  /** Keeps a batch, all or nothing. Never called while an earlier call is unsettled. */
  readonly write: (records: readonly string[]) => Promise<void>;
  readonly observer: AuditObserver;
}

interface Waiting {
  readonly fields: string;
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Turns many concurrent appends into few writes: what gathers during one write goes into the next.
 *
 * A write that does not return in time makes every waiting record fail, and new ones fail at once, until it
 * returns: callers never hang and memory stays bounded. A record that failed this way may still be written
 * later. That is one record too many, never one too few.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #writing: readonly Waiting[] | undefined;
  #accepting: boolean = false;
  #overdue: boolean = false;
  #scheduled: boolean = false;
  #deadlineTimer: Timer | undefined;
  #notAccepted = 0;
  #whenIdle: (() => void) | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  get healthy(): boolean {
    return this.#accepting && !this.#overdue;
  }

  /** Records queued or being written. */
  get waiting(): number {
    return this.#queue.length + (this.#writing?.length ?? 0);
  }

  append(fields: string): Promise<void> {
    const refusal = this.#refusalOf(fields);
    if (refusal !== undefined) {
      this.#report(refusal, 1);
      return Promise.reject(auditUnavailable());
    }
    const since = this.#options.clock.monotonic();
    return new Promise((resolve, reject) => {
      this.#queue.push({ fields, since, resolve, reject });
      this.#queuedBytes += fields.length;
      this.#watch(this.#options.deadlineMs);
      this.#schedule();
    });
  }

  /** Lets records in. */
  resume(): void {
    this.#accepting = true;
    this.#notAccepted = 0;
  }

  /** Records that were not accepted since the last `resume`. */
  get notAccepted(): number {
    return this.#notAccepted;
  }

  /** Refuses new records and those that wait, until `resume`. */
  suspend(cause: unknown): void {
    this.#accepting = false;
    this.#rejectQueue('refused', auditUnavailable(cause));
  }

  /** Refuses new records and resolves when those that wait are settled, and no write is under way. */
  async drain(): Promise<void> {
    this.#accepting = false;
    if (!this.#idle) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    this.#deadlineTimer?.cancel();
  }

  get #idle(): boolean {
    return this.#writing === undefined && this.#queue.length === 0;
  }

  #refusalOf(fields: string): AuditFailureReason | undefined {
    if (!this.healthy) return 'refused';
    const { maxQueuedRecords, maxQueuedBytes } = this.#options;
    const full =
      this.#queue.length >= maxQueuedRecords || this.#queuedBytes + fields.length > maxQueuedBytes;
    return full ? 'queue_full' : undefined;
  }

  /**
   * At the end of the next turn of the event loop. When little happens a turn takes microseconds; under load
   * it brings the records of many requests, and a sync costs as much for all of them as for one.
   */
  #schedule(): void {
    if (this.#scheduled || this.#writing !== undefined || this.#queue.length === 0) return;
    this.#scheduled = true;
    setImmediate(() =>
      setImmediate(() => {
        this.#scheduled = false;
        void this.#commit();
      }),
    );
  }

  async #commit(): Promise<void> {
    const batch = this.#takeBatch();
    if (batch.length === 0) return;
    const { sink, clock, observer, write } = this.#options;
    this.#writing = batch;
    const startedAt = clock.monotonic();
    try {
      await write(batch.map(({ fields }) => fields));
      for (const { resolve } of batch) resolve();
      observer.onCommit?.({
        sink,
        records: batch.length,
        durationMs: clock.monotonic() - startedAt,
      });
    } catch (error) {
      const refusal = auditUnavailable(error);
      for (const { reject } of batch) reject(refusal);
      this.#report('write_failed', this.#overdue ? 0 : batch.length, errorCodeOf(error));
    }
    this.#writing = undefined;
    this.#overdue = false;
    this.#schedule();
    if (this.#idle) this.#whenIdle?.();
  }

  #takeBatch(): readonly Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const { fields } of this.#queue) {
      if (count === maxBatchRecords || (count > 0 && bytes + fields.length > maxBatchBytes)) break;
      count += 1;
      bytes += fields.length;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  /** One timer for all records: they wait in order, so the first one's deadline is the next one. */
  #watch(delayMs: number): void {
    this.#deadlineTimer ??= this.#options.clock.after(delayMs, () => {
      this.#deadlineTimer = undefined;
      this.#checkDeadline();
    });
  }

  #checkDeadline(): void {
    const oldest = this.#writing?.[0] ?? this.#queue[0];
    if (oldest === undefined || this.#overdue) return;
    const { clock, deadlineMs } = this.#options;
    const leftMs = oldest.since + deadlineMs - clock.monotonic();
    if (leftMs > 0) {
      this.#watch(leftMs);
      return;
    }
    const refusal = auditUnavailable();
    if (this.#writing !== undefined) {
      this.#overdue = true;
      for (const { reject } of this.#writing) reject(refusal);
      this.#report('deadline', this.#writing.length);
    }
    this.#rejectQueue('deadline', refusal);
  }

  #rejectQueue(reason: AuditFailureReason, error: Error): void {
    if (this.#queue.length === 0) return;
    const rejected = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { reject } of rejected) reject(error);
    this.#report(reason, rejected.length);
  }

  #report(reason: AuditFailureReason, records: number, errorCode?: string): void {
    this.#notAccepted += records;
    const { sink, observer } = this.#options;
    observer.onFailure?.({
      sink,
      reason,
      records,
      ...(errorCode === undefined ? {} : { errorCode }),
    });
  }
}
