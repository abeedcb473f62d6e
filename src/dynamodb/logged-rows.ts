/** Where the change log leads, and which rows of the table are not what it says (T49). */

import type { MappingRules } from '../core/policy/mapping-check.ts';
import { isMappingId } from '../core/policy/role-mapping.ts';
import { type MapDraft, ShardedMap } from '../core/policy/sharded-map.ts';
import { eachInPieces, inTurns, type PiecesOfWork } from '../kit/timing/in-turns.ts';
import { incompleteRead, logItems, type RevisionRange } from './change-log.ts';
import { type ChainLink, linkOf } from './entry-chain.ts';
import { readInteger, readText } from './item-attributes.ts';
import { mappingsOf, type PolicyRow, toPolicyRow } from './quarantine.ts';
import { knownRow, type MappingText, readMapping, type TableRow } from './role-mapping-item.ts';
import type { Item, TableCalls } from './table-calls.ts';

export interface LoggedRows {
  /** What the latest change of each mapping left behind. */
  readonly rows: ShardedMap<LoggedRow>;
  /** Of those that cannot be read and were changed more than once: what was in force before the latest change. */
  readonly before: ReadonlyMap<string, PolicyRow | undefined>;
  /** What each entry adds to the chain that seals the log, in order. */
  readonly links: readonly ChainLink[];
}

export type LoggedRow = TableRow | typeof deleted;

const deleted = { kind: 'deleted' } as const;

export interface LoggedRange extends RevisionRange {
  /** Rows as the table has them now: those that are equal need not be parsed again. */
  readonly known: (id: string) => TableRow | undefined;
  /** In force at the start of the range. Default: nothing. */
  readonly start?: (id: string) => PolicyRow | undefined;
  /** Where nothing is sealed: a digest of each entry costs as much as all the rest. Default false. */
  readonly withoutLinks?: boolean;
}

/** @throws BrokerError `table_unavailable`, also where an entry is missing or is none */
export async function readLoggedRows(
  calls: TableCalls,
  range: LoggedRange,
  rules: MappingRules,
): Promise<LoggedRows> {
  const latest = await latestTexts(calls, range);
  const { texts, links, changedAgain } = latest;
  const rows = await inTurns(readingRows(latest.rows, texts, rules));
  const ids = await inTurns(unreadableOf(changedAgain, rows));
  const before = await rowsBefore(calls, range, { ids, texts, links, rules });
  return { rows, before, links };
}

const idsPerPiece = 1_000;

/** There may be as many ids as entries in the log. */
function* unreadableOf(
  ids: readonly string[],
  rows: ShardedMap<LoggedRow>,
): PiecesOfWork<ReadonlySet<string>> {
  const unreadable = new Set<string>();
  yield* eachInPieces(ids, idsPerPiece, (id) => {
    if (rows.get(id)?.kind === 'unreadable') unreadable.add(id);
  });
  return unreadable;
}

interface Unreadable {
  readonly ids: ReadonlySet<string>;
  readonly texts: MapDraft<LoggedText>;
  readonly links: readonly ChainLink[];
  readonly rules: MappingRules;
}

/**
 * What stands in for a row that cannot be read depends on what it said before (T322). The log is read once more for it, so
 * that nobody has to keep every text that ever was.
 */
async function rowsBefore(
  calls: TableCalls,
  range: LoggedRange,
  { ids, texts, links, rules }: Unreadable,
): Promise<ReadonlyMap<string, PolicyRow | undefined>> {
  const { start = () => undefined } = range;
  const rows = new Map<string, PolicyRow | undefined>();
  if (ids.size === 0) return rows;
  for await (const entry of entriesAgain(calls, range, links)) {
    const { id, revision } = entry;
    if (!ids.has(id) || texts.get(id)?.revision === revision) continue;
    const known = rows.has(id) ? rows.get(id) : start(id);
    rows.set(id, isText(entry) ? toPolicyRow(readMapping(entry, rules), known) : undefined);
  }
  return rows;
}

/** What was verified is what counts, and nothing that came in its place since. Without links nothing is sealed. */
async function* entriesAgain(
  calls: TableCalls,
  { since, through }: RevisionRange,
  links: readonly ChainLink[],
): AsyncGenerator<EntryText> {
  let revision = since;
  for await (const items of logItems(calls, { since, through })) {
    for (const item of items) {
      const link = links[revision - since];
      if (link !== undefined && link.content !== linkOf(item).content) throw gap();
      revision += 1;
      yield textOfEntry(item, revision);
    }
  }
  if (revision < through) throw gap();
}

const rowsPerPiece = 50;

function* readingRows(
  rows: MapDraft<LoggedRow>,
  texts: MapDraft<LoggedText>,
  rules: MappingRules,
): PiecesOfWork<ShardedMap<LoggedRow>> {
  yield* eachInPieces(texts.values(), rowsPerPiece, (text) => {
    rows.set(text.id, readMapping(text, rules));
  });
  return rows.finished();
}

interface LatestTexts {
  /** Deletions, and rows whose text is that of the table: it is not kept, as there may be a million. */
  readonly rows: MapDraft<LoggedRow>;
  /** All others. */
  readonly texts: MapDraft<LoggedText>;
  readonly links: readonly ChainLink[];
  /** Ids; some more than once. */
  readonly changedAgain: string[];
}

/** All that is looked at where nothing is sealed. */
const attributesOfRows = ['id', 'version', 'revision', 'action', 'after'];

async function latestTexts(
  calls: TableCalls,
  { since, through, known, withoutLinks = false }: LoggedRange,
): Promise<LatestTexts> {
  const rows = ShardedMap.of<LoggedRow>().draft();
  const texts = ShardedMap.of<LoggedText>().draft();
  const changedAgain: string[] = [];
  const links: ChainLink[] = [];
  let revision = since;
  const attributes = withoutLinks ? attributesOfRows : undefined;
  for await (const items of logItems(calls, { since, through }, attributes)) {
    for (const item of items) {
      revision += 1;
      const entry = textOfEntry(item, revision);
      if (!withoutLinks) links.push(linkOf(item));
      put({ rows, texts, changedAgain }, entry, known);
    }
  }
  if (revision < through) throw gap();
  return { rows, texts, links, changedAgain };
}

function put(
  { rows, texts, changedAgain }: Omit<LatestTexts, 'links'>,
  entry: EntryText,
  known: LoggedRange['known'],
): void {
  const { id } = entry;
  if (rows.has(id) || texts.has(id)) changedAgain.push(id);
  const row = isText(entry) ? knownRow(entry, known(id)) : deleted;
  rows.set(id, row);
  if (isText(entry) && row === undefined) texts.set(id, entry);
  else if (texts.has(id)) texts.set(id, undefined);
}

interface LoggedText extends MappingText {
  readonly revision: number;
}

/** Without a text: of a deletion. */
type EntryText = Omit<LoggedText, 'text'> & { readonly text: string | undefined };

/** @throws BrokerError `table_unavailable` where it is not the whole entry of this revision */
function textOfEntry(item: Item, revision: number): EntryText {
  const id = readText(item, 'id') ?? '';
  if (readInteger(item, 'revision') !== revision || !isMappingId(id)) throw gap();
  const text = readText(item, 'after');
  // A text that is kept in another way, or not at all, is no deletion (T323).
  if ((text === undefined) !== (readText(item, 'action') === 'delete')) throw gap();
  return { id, revision, version: readInteger(item, 'version') ?? 0, text };
}

function isText(entry: EntryText): entry is LoggedText {
  return entry.text !== undefined;
}

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
  if (isSameText(one, other)) return true;
  const incomparable = one.digest === undefined || other.digest === undefined;
  // Another text of the same version may have been written around the log: it must change nothing.
  return incomparable && one.kind === other.kind && inForceOf(one) === inForceOf(other);
}

/** As far as it is known. */
interface RowText {
  readonly digest: string | undefined;
  readonly parsedDigest?: string | undefined;
}

/** Whether two rows are known to have the same text. */
export function isSameText(one: RowText, other: RowText): boolean {
  const digest = digestOf(one);
  return digest !== undefined && digest === digestOf(other);
}

function digestOf({ digest, parsedDigest }: RowText): string | undefined {
  return digest ?? parsedDigest;
}

/** Whether what is in force by them differs. */
export function standInsDiffer(one: PolicyRow | undefined, other: PolicyRow | undefined): boolean {
  if (one === other || one?.kind !== 'quarantined' || other?.kind !== 'quarantined') return false;
  return inForceOf(one) !== inForceOf(other);
}

function inForceOf(row: PolicyRow): string {
  return JSON.stringify(mappingsOf(row).map(({ mapping }) => mapping));
}

function textOf({ stored }: PolicyRow & { readonly kind: 'valid' }): string {
  return JSON.stringify(stored.mapping);
}
