/** Who got credentials by which role mapping, and when: what records say, added up. */

import { valueAt } from '../kit/json/json-object.ts';
import { type LoggedRecord, textAt } from './logged-record.ts';

export interface Usage {
  readonly issued: number;
  readonly refused: number;
  /** RFC 3339; undefined where nothing was issued. */
  readonly first: string | undefined;
  readonly last: string | undefined;
}

export interface CallerUsage extends Usage {
  readonly pool: string | undefined;
  readonly clientId: string | undefined;
  readonly subject: string | undefined;
}

export interface MappingUse extends Usage {
  readonly mapping: string;
  /** When it was last edited, as far as these logs go. */
  readonly edited: string | undefined;
  readonly callers: readonly CallerUsage[];
}

class Counts {
  issued = 0;
  refused = 0;
  first: string | undefined;
  last: string | undefined;

  count(time: string, outcome: string | undefined, times: number): void {
    if (outcome !== 'issued') {
      this.refused += times;
      return;
    }
    this.issued += times;
    if (this.first === undefined || time < this.first) this.first = time;
    if (this.last === undefined || time > this.last) this.last = time;
  }
}

interface CallerCounts {
  readonly caller: Omit<CallerUsage, keyof Usage>;
  readonly counts: Counts;
}

class OneMapping {
  readonly total = new Counts();
  readonly callers = new Map<string, CallerCounts>();
  edited: string | undefined;
}

export class MappingUsage {
  readonly #mappings = new Map<string, OneMapping>();

  take(record: LoggedRecord): void {
    const type = textAt(record, 'type');
    // In UTC and of one form, so that texts compare as times.
    const time = textAt(record, 'time') ?? '';
    if (type === 'exchange') this.#count(record, time);
    if (type === 'mapping_change' && textAt(record, 'outcome') === 'authorized') {
      const mapping = this.#mapping(textAt(record, 'mappingId'));
      if (mapping !== undefined && time > (mapping.edited ?? '')) mapping.edited = time;
    }
  }

  /** Undefined for a mapping that no record names. */
  of(id: string): MappingUse | undefined {
    const mapping = this.#mappings.get(id);
    if (mapping === undefined) return undefined;
    const callers = [...mapping.callers.values()].map(({ caller, counts }) => ({
      ...caller,
      ...usageOf(counts),
    }));
    return { mapping: id, ...usageOf(mapping.total), edited: mapping.edited, callers };
  }

  #count(record: LoggedRecord, time: string): void {
    const mapping = this.#mapping(textAt(record, 'mapping', 'id'));
    if (mapping === undefined) return;
    const repeats = valueAt(record, 'repeats', 'count');
    const times = typeof repeats === 'number' ? repeats : 1;
    const outcome = textAt(record, 'outcome');
    mapping.total.count(time, outcome, times);
    const caller = {
      pool: textAt(record, 'token', 'pool'),
      clientId: textAt(record, 'token', 'clientId'),
      subject: textAt(record, 'token', 'subject'),
    };
    const key = JSON.stringify(caller);
    const known = mapping.callers.get(key) ?? { caller, counts: new Counts() };
    mapping.callers.set(key, known);
    known.counts.count(time, outcome, times);
  }

  #mapping(id: string | undefined): OneMapping | undefined {
    if (id === undefined) return undefined;
    const mapping = this.#mappings.get(id) ?? new OneMapping();
    this.#mappings.set(id, mapping);
    return mapping;
  }
}

function usageOf({ issued, refused, first, last }: Counts): Usage {
  return { issued, refused, first, last };
}
