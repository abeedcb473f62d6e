import { errorCodeOf } from '../kit/files/error-code.ts';
import type { Clock, Timer } from '../kit/timing/clock.ts';
import { type AuditFailureReason, type AuditObserver, auditUnavailable } from './audit-sink.ts';
import { RunningTime } from './running-time.ts';

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

/** So often it is looked whether the process runs, within a deadline. */
const looksInDeadline = 20;

/** Records that are written together, or fail together: whoever waits for one of them waits for all. */
class Batch {
  readonly records: string[] = [];
  /** Since when the first of them has been waiting, in running time. */
  readonly since: number;
  readonly kept: Promise<void>;
  resolve: () => void = ignore;
  reject: (error: Error) => void = ignore;
  #bytes = 0;

  constructor(since: number) {
    this.since = since;
    this.kept = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  get bytes(): number {
    return this.#bytes;
  }

  hasRoomFor(fields: string): boolean {
    const { length } = this.records;
    if (length === 0) return true;
    return length < maxBatchRecords && this.#bytes + fields.length <= maxBatchBytes;
  }

  add(fields: string): void {
    this.records.push(fields);
    this.#bytes += fields.length;
  }
}

function ignore(): void {}

/**
 * Turns many concurrent appends into few writes: what gathers during one write goes into the next.
 *
 * A write that does not return in time makes every waiting record fail, and new ones fail at once, until it
 * returns: callers never hang and memory stays bounded. A record that failed this way may still be written
 * later. That is one record too many, never one too few.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #running: RunningTime;
  /** In their order; what comes next goes into the last one. */
  #queue: Batch[] = [];
  #queuedRecords = 0;
  #queuedBytes = 0;
  #writing: Batch | undefined;
  #accepting: boolean = false;
  #overdue: boolean = false;
  #scheduled: boolean = false;
  #deadlineTimer: Timer | undefined;
  #notAccepted = 0;
  #whenIdle: (() => void) | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#running = new RunningTime(options.clock, options.deadlineMs / looksInDeadline);
  }

  get healthy(): boolean {
    return this.#accepting && !this.#overdue;
  }

  /** Records queued or being written. */
  get waiting(): number {
    return this.#queuedRecords + (this.#writing?.records.length ?? 0);
  }

  /** Records that are kept together share their promise. */
  append(fields: string): Promise<void> {
    const refusal = this.#refusalOf(fields);
    if (refusal !== undefined) {
      this.#report(refusal, 1);
      return Promise.reject(auditUnavailable());
    }
    if (this.#deadlineTimer === undefined) this.#running.begin();
    const batch = this.#batchFor(fields);
    batch.add(fields);
    this.#queuedRecords += 1;
    this.#queuedBytes += fields.length;
    this.#watch();
    this.#schedule();
    return batch.kept;
  }

  #batchFor(fields: string): Batch {
    const last = this.#queue.at(-1);
    if (last?.hasRoomFor(fields) === true) return last;
    const batch = new Batch(this.#running.ms);
    this.#queue.push(batch);
    return batch;
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
      this.#queuedRecords >= maxQueuedRecords || this.#queuedBytes + fields.length > maxQueuedBytes;
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
    const batch = this.#queue.shift();
    if (batch === undefined) return;
    const { length } = batch.records;
    this.#queuedRecords -= length;
    this.#queuedBytes -= batch.bytes;
    const { sink, clock, observer, write } = this.#options;
    this.#writing = batch;
    const startedAt = clock.monotonic();
    try {
      await write(batch.records);
      batch.resolve();
      observer.onCommit?.({
        sink,
        records: length,
        durationMs: clock.monotonic() - startedAt,
      });
    } catch (error) {
      batch.reject(auditUnavailable(error));
      this.#report('write_failed', this.#overdue ? 0 : length, errorCodeOf(error));
    }
    this.#writing = undefined;
    this.#overdue = false;
    this.#schedule();
    if (this.#idle) this.#whenIdle?.();
  }

  /** One timer for all records: they wait in order, so the first one's deadline is the next one. */
  #watch(): void {
    const { clock, deadlineMs } = this.#options;
    this.#deadlineTimer ??= clock.after(deadlineMs / looksInDeadline, () => {
      this.#deadlineTimer = undefined;
      this.#running.look();
      this.#checkDeadline();
    });
  }

  #checkDeadline(): void {
    const oldest = this.#writing ?? this.#queue[0];
    if (oldest === undefined || this.#overdue) return;
    if (this.#running.ms - oldest.since < this.#options.deadlineMs) {
      this.#watch();
      return;
    }
    const refusal = auditUnavailable();
    if (this.#writing !== undefined) {
      this.#overdue = true;
      this.#writing.reject(refusal);
      this.#report('deadline', this.#writing.records.length);
    }
    this.#rejectQueue('deadline', refusal);
  }

  #rejectQueue(reason: AuditFailureReason, error: Error): void {
    if (this.#queue.length === 0) return;
    const [rejected, records] = [this.#queue, this.#queuedRecords];
    this.#queue = [];
    this.#queuedRecords = 0;
    this.#queuedBytes = 0;
    for (const batch of rejected) batch.reject(error);
    this.#report(reason, records);
  }

  #report(reason: AuditFailureReason, records: number, errorCode?: string): void {
    this.#notAccepted += records;
    const { sink, observer } = this.#options;
    observer.onFailure?.({ sink, reason, records, errorCode });
  }
}
