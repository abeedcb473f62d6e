import type { AuditLog, RecentDecisions } from '../core/ports.ts';
import type { AuditRecord } from '../core/records/audit-record.ts';
import type { ExchangeRecord } from '../core/records/exchange-record.ts';

export interface DecisionTailOptions {
  readonly log: AuditLog;
  /** Now, in epoch milliseconds. */
  readonly startedAt: number;
  /** Of the records that are remembered. */
  readonly most?: number;
  /** Of the mappings whose last issue is remembered; the one that was first issued by is forgotten first. */
  readonly mostMappings?: number;
}

/**
 * The last records of decisions, for administrators to look at. They are remembered once they are durable, and nothing
 * waits for that: what is not on record is not shown.
 */
export class DecisionTail implements AuditLog, RecentDecisions {
  readonly #log: AuditLog;
  readonly #most: number;
  readonly #mostMappings: number;
  /** Times by the id of the mapping. */
  readonly #lastIssued = new Map<string, string>();
  readonly since: string;
  /** A ring: the oldest is overwritten. */
  readonly #records: ExchangeRecord[] = [];
  #next = 0;
  /** Those that came last and wait for one write together. */
  #waiting: { readonly durable: Promise<void>; readonly records: ExchangeRecord[] } | undefined;

  constructor({ log, startedAt, most = 1000, mostMappings = 100_000 }: DecisionTailOptions) {
    this.#log = log;
    this.#most = most;
    this.#mostMappings = mostMappings;
    this.since = new Date(startedAt).toISOString();
  }

  record(record: AuditRecord): Promise<void> {
    const durable = this.#log.record(record);
    if (record.type === 'exchange') this.#rememberAfter(durable, record);
    return durable;
  }

  /** Records that are kept together share their promise. */
  #rememberAfter(durable: Promise<void>, record: ExchangeRecord): void {
    if (this.#waiting?.durable === durable) {
      this.#waiting.records.push(record);
      return;
    }
    const records = [record];
    this.#waiting = { durable, records };
    const settled = (kept: readonly ExchangeRecord[]) => {
      if (this.#waiting?.records === records) this.#waiting = undefined;
      for (const each of kept) this.#remember(each);
    };
    // Whoever wanted the records is told of a failure.
    void durable.then(
      () => settled(records),
      () => settled([]),
    );
  }

  *newestFirst(): Generator<ExchangeRecord> {
    const { length } = this.#records;
    for (let back = 1; back <= length; back += 1) {
      yield this.#records[(this.#next - back + length) % length] as ExchangeRecord;
    }
  }

  lastIssued(mappingId: string): string | undefined {
    return this.#lastIssued.get(mappingId);
  }

  #remember(record: ExchangeRecord): void {
    if (record.outcome === 'issued' && record.mapping !== undefined) {
      this.#lastIssued.set(record.mapping.id, record.time);
      const [first] = this.#lastIssued.size > this.#mostMappings ? this.#lastIssued.keys() : [];
      if (first !== undefined) this.#lastIssued.delete(first);
    }
    this.#records[this.#next] = record;
    this.#next = (this.#next + 1) % this.#most;
  }
}
