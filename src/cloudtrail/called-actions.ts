/** What sessions of each role mapping have called, as far as a trail has it. */

import type { JsonObject } from '../kit/json/json-object.ts';
import { callingKey } from './assumed-session.ts';
import type { SessionLedger } from './session-ledger.ts';

/** Services whose events have another name than their actions in policies. */
const prefixes: ReadonlyMap<string, string> = new Map([
  ['monitoring', 'cloudwatch'],
  ['email', 'ses'],
  ['tagging', 'tag'],
  ['streams.dynamodb', 'dynamodb'],
]);

/** Of one mapping: nobody's policy has so many. */
const mostActions = 10_000;

export class CalledActions {
  readonly #ledger: SessionLedger;
  readonly #called = new Map<string, Set<string>>();

  constructor(ledger: SessionLedger) {
    this.#ledger = ledger;
  }

  take(record: JsonObject): void {
    const slot = this.#ledger.find(callingKey(record));
    const mapping = slot === undefined ? undefined : this.#ledger.mappingOf(slot);
    const { eventSource, eventName } = record;
    if (mapping === undefined || typeof eventSource !== 'string' || typeof eventName !== 'string')
      return;
    const service = eventSource.replace(/\.amazonaws\.com(?:\.cn)?$/, '');
    const actions = this.#called.get(mapping) ?? new Set();
    this.#called.set(mapping, actions);
    if (actions.size < mostActions) actions.add(`${prefixes.get(service) ?? service}:${eventName}`);
  }

  /** Such as `dynamodb:PutItem`, in the order of their names. */
  of(mapping: string): readonly string[] {
    return [...(this.#called.get(mapping) ?? [])].sort((a, b) => (a < b ? -1 : 1));
  }
}
