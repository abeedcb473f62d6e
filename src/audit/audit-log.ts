import type { AuditLog } from '../core/ports.ts';
import type { AuditRecord } from '../core/records/audit-record.ts';
import { type AuditSink, auditUnavailable } from './audit-sink.ts';
import { type DiskSpace, purposeOf } from './disk-room.ts';
import { recordFields } from './record-fields.ts';
import type { RecordPurpose } from './record-purpose.ts';

export interface ChainedAuditLogOptions {
  /** A record counts once one of these has kept it. */
  readonly durable: readonly [AuditSink, ...AuditSink[]];
  /** Copies for convenience: never waited for, and their failures only show in what they report. */
  readonly secondary?: readonly AuditSink[];
  /** A record was not asked for, because the end of the disk is kept for others. */
  readonly onNoRoom?: (sink: string) => void;
}

/** The audit log: every record goes to every sink, each with a hash chain of its own. */
export class ChainedAuditLog implements AuditLog {
  readonly #durable: readonly [AuditSink, ...AuditSink[]];
  readonly #secondary: readonly AuditSink[];

  readonly #onNoRoom: (sink: string) => void;

  constructor({ durable, secondary = [], onNoRoom }: ChainedAuditLogOptions) {
    this.#durable = durable;
    this.#secondary = secondary;
    this.#onNoRoom = onNoRoom ?? ignore;
  }

  record(record: AuditRecord): Promise<void> {
    if (!this.hasRoomFor(purposeOf(record))) {
      this.#onNoRoom(this.#durable[0].name);
      return Promise.reject(auditUnavailable());
    }
    const fields = recordFields(record);
    for (const sink of this.#secondary) sink.append(fields).catch(ignore);
    const [first, ...others] = this.#durable;
    return others.length === 0 ? first.append(fields) : this.#recordToAny(fields);
  }

  /** Whether there is room for such a record beside what is kept for more important ones. */
  hasRoomFor(purpose: RecordPurpose): boolean {
    return this.#durable.some((sink) => sink.hasRoomFor(purpose));
  }

  /** Whether the record of a request would be accepted now, as far as the last commits tell. */
  ready(): boolean {
    return this.#durable.some((sink) => sink.ready() && sink.hasRoomFor('requests'));
  }

  /** Of the disk that records count on; undefined where there is none. */
  room(): DiskSpace | undefined {
    return this.#durable[0].room();
  }

  /** Records that wait for a durable sink. */
  queuedRecords(): number {
    return this.#durable.reduce((sum, sink) => sum + sink.waiting(), 0);
  }

  /** @throws BrokerError `audit_unavailable` when a durable sink cannot work without an operator. */
  async start(): Promise<void> {
    for (const sink of this.#secondary) sink.start().catch(ignore);
    try {
      await Promise.all(this.#durable.map((sink) => sink.start()));
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#durable, ...this.#secondary].map((sink) => sink.stop()));
  }

  async #recordToAny(fields: string): Promise<void> {
    try {
      await Promise.any(this.#durable.map((sink) => sink.append(fields)));
    } catch (error) {
      throw error instanceof AggregateError ? error.errors[0] : error;
    }
  }
}

/** The sink has reported the failure to its observer. */
function ignore(): void {}
