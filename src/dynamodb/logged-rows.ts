/** Where the change log leads, and which rows of the table are not what it says (T49). */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import { incompleteRead, type RevisionRange } from './change-log.ts';
import { type ChainLink, linkOf } from './entry-chain.ts';
import { readInteger, readText } from './item-attributes.ts';
import type { PolicyRow } from './quarantine.ts';
import {
  changeKey,
  endOfBucket,
  isMappingId,
  readMapping,
  type TableRow,
} from './role-mapping-item.ts';
import type { TableCalls } from './table-calls.ts';

export interface LoggedRows {
  /** What the latest change of each mapping left behind; undefined where it was deleted. */
  readonly rows: ReadonlyMap<string, TableRow | undefined>;
  /** What each entry adds to the chain that seals the log, in order. */
  readonly links: readonly ChainLink[];
}

export interface LoggedRange extends RevisionRange {
  /** Rows as the table has them now: those that are equal need not be parsed again. */
  readonly known: (id: string) => TableRow | undefined;
}

/** @throws BrokerError `table_unavailable`, also where an entry is missing or is none */
export async function readLoggedRows(
  calls: TableCalls,
  { since, through, known }: LoggedRange,
  rules: MappingRules,
): Promise<LoggedRows> {
  const rows = new Map<string, TableRow | undefined>();
  const { texts, links } = await latestTexts(calls, { since, through });
  for (const [id, { version, text }] of texts) {
    if (rows.size % rowsPerTurn === 0) await nextTurn();
    const row =
      text === undefined ? undefined : readMapping({ id, version, text }, rules, known(id));
    rows.set(id, row);
  }
  return { rows, links };
}

interface LoggedText {
  readonly version: number;
  readonly text: string | undefined;
}

async function latestTexts(
  calls: TableCalls,
  { since, through }: RevisionRange,
): Promise<{
  readonly texts: ReadonlyMap<string, LoggedText>;
  readonly links: readonly ChainLink[];
}> {
  const texts = new Map<string, LoggedText>();
  const links: ChainLink[] = [];
  let revision = since;
  for (let from = since + 1; from <= through; from = endOfBucket(from) + 1) {
    const first = changeKey(from);
    const last = changeKey(Math.min(through, endOfBucket(from)));
    for (const item of await calls.query({ pk: first.pk, fromSk: first.sk, toSk: last.sk })) {
      revision += 1;
      const id = readText(item, 'id') ?? '';
      if (readInteger(item, 'revision') !== revision || !isMappingId(id)) throw gap();
      links.push(linkOf(item));
      texts.set(id, { version: readInteger(item, 'version') ?? 0, text: readText(item, 'after') });
    }
  }
  if (revision < through) throw gap();
  return { texts, links };
}

const rowsPerTurn = 100;

function gap() {
  return incompleteRead('The change log of the table has a gap.');
}

/** Whether two reads found one and the same text of one version, whatever was made of it. */
export function isSameRow(one: PolicyRow | undefined, other: PolicyRow | undefined): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined || one.version !== other.version) return false;
  if (one.kind === 'valid' && other.kind === 'valid') {
    // A snapshot file holds what was parsed, whose text may differ from that of the table.
    return one.digest === other.digest || textOf(one) === textOf(other);
  }
  const incomparable = one.digest === undefined || other.digest === undefined;
  return one.digest === other.digest || (incomparable && one.kind === other.kind);
}

function textOf({ stored }: PolicyRow & { readonly kind: 'valid' }): string {
  return JSON.stringify(stored.mapping);
}
