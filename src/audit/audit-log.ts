import type { AuditRecord } from '../core/audit-record.ts';
import type { AuditLog } from '../core/ports.ts';
import type { AuditSink } from './audit-sink.ts';
import { recordFields } from './record-fields.ts';

export interface ChainedAuditLogOptions {
  /** A record counts once one of these has kept it. */
  readonly durable: readonly [AuditSink, ...AuditSink[]];
  /** Copies for convenience: never waited for, and their failures only show in what they report. */
  readonly secondary?: readonly AuditSink[];
}

/** The audit log: every record goes to every sink, each with a hash chain of its own. */
export class ChainedAuditLog implements AuditLog {
  readonly #durable: readonly [AuditSink, ...AuditSink[]];
  readonly #secondary: readonly AuditSink[];

  constructor({ durable, secondary = [] }: ChainedAuditLogOptions) {
    this.#durable = durable;
    this.#secondary = secondary;
  }

  record(record: AuditRecord): Promise<void> {
    const fields = recordFields(record);
    for (const sink of this.#secondary) sink.append(fields).catch(ignore);
    const [first, ...others] = this.#durable;
    return others.length === 0 ? first.append(fields) : this.#recordToAny(fields);
  }

  /** Whether a record would be accepted now, as far as the last commits tell. */
  ready(): boolean {
    return this.#durable.some((sink) => sink.ready());
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
