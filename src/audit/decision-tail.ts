import type { AuditRecord, ExchangeRecord } from '../core/audit-record.ts';
import type { AuditLog, RecentDecisions } from '../core/ports.ts';

export interface DecisionTailOptions {
  readonly log: AuditLog;
  /** Of the records that are remembered. */
  readonly most?: number;
}

/**
 * The last records of decisions, for administrators to look at. They are remembered once they are durable, and nothing
 * waits for that: what is not on record is not shown.
 */
export class DecisionTail implements AuditLog, RecentDecisions {
  readonly #log: AuditLog;
  readonly #most: number;
  /** A ring: the oldest is overwritten. */
  readonly #records: ExchangeRecord[] = [];
  #next = 0;

  constructor({ log, most = 1000 }: DecisionTailOptions) {
    this.#log = log;
    this.#most = most;
  }

  record(record: AuditRecord): Promise<void> {
    const durable = this.#log.record(record);
    if (record.type === 'exchange') void durable.then(() => this.#remember(record), ignore);
    return durable;
  }

  *newestFirst(): Generator<ExchangeRecord> {
    const { length } = this.#records;
    for (let back = 1; back <= length; back += 1) {
      yield this.#records[(this.#next - back + length) % length] as ExchangeRecord;
    }
  }

  #remember(record: ExchangeRecord): void {
    this.#records[this.#next] = record;
    this.#next = (this.#next + 1) % this.#most;
  }
}

/** Whoever wanted the record has been told. */
function ignore(): void {}
