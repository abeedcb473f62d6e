/** From the policy in force to the next one: what the table offers is checked here, nothing is put in force. */

import type { MapDraft, ShardedMap } from '../core/policy/sharded-map.ts';
import { everyInPieces, inTurns, type PiecesOfWork } from '../kit/timing/in-turns.ts';
import { isIncompleteRead, type RevisionRange } from './change-log.ts';
import type { Chain, ChainLink } from './entry-chain.ts';
import { isSameRow, isSameText, standInsDiffer } from './logged-rows.ts';
import type { LoadedMappings } from './mapping-loader.ts';
import {
  changedRows,
  changedState,
  ofKnownTable,
  type PolicyState,
  policyState,
  withChain,
  withChanges,
  withWriteId,
} from './policy-state.ts';
import type { PolicyAlarm } from './policy-sync-observer.ts';
import { type PolicyRow, toPolicyRow } from './quarantine.ts';
import type { LoggedChange } from './role-mapping-item.ts';
import type { RoleMappingTable } from './role-mapping-table.ts';
import { losesTooMuch } from './shrink-guard.ts';
import { isAnotherHistory } from './table-history.ts';
import type { TableSeal } from './table-seal.ts';

export type PolicyTable = Pick<
  RoleMappingTable,
  'place' | 'newest' | 'writeIdOf' | 'loadAll' | 'changesSince' | 'loggedRows'
>;

export type NextPolicy =
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'next';
      readonly state: PolicyState;
      /** Epoch milliseconds of the latest edit in it, where the change log brought it. */
      readonly editedAt?: number | undefined;
      /** Rows of the table that the change log does not account for: what it says is in the state instead. */
      readonly unexplained?: readonly string[];
    }
  /** The change log cannot lead there: everything must be read. */
  | { readonly kind: 'behind'; readonly alarm: PolicyAlarm | undefined }
  | { readonly kind: 'refused'; readonly alarm: PolicyAlarm };

/** Reading so many changes costs about as much as reading everything. */
const maxCatchUp = 5_000;

const rowsPerPiece = 1_000;

export type SealCheck = Pick<TableSeal, 'following' | 'isOurs' | 'empty'>;

/** By the change log. @throws BrokerError `table_unavailable` */
export async function followLog(
  table: PolicyTable,
  state: PolicyState,
  seal: SealCheck | undefined,
): Promise<NextPolicy> {
  // What came before was never verified, or may be of another table: only the whole log can tell.
  if (!isAnchored(state, seal)) return { kind: 'behind', alarm: undefined };
  const newest = await table.newest();
  const { revision: head } = newest;
  // An older table, whose rows may grant what was taken away since (T50).
  if (head < state.revision) return { kind: 'refused', alarm: 'rolled_back' };
  if (await isAnotherHistory(table, state, newest)) return ofAnotherHistory(seal);
  if (head === state.revision) return { kind: 'unchanged' };
  if (head - state.revision > maxCatchUp) return { kind: 'behind', alarm: undefined };
  const changes = await changesBetween(table, state.revision, head);
  if (changes === undefined) return { kind: 'behind', alarm: 'change_log_gap' };
  const links = changes.map(({ link }) => link);
  const chain = await sealedThrough(seal, state, { links, through: head });
  if (chain === 'broken') return { kind: 'refused', alarm: 'seal_broken' };
  const next = await inTurns(changedState(state, head, changes));
  return next === undefined
    ? { kind: 'behind', alarm: 'change_log_gap' }
    : {
        kind: 'next',
        state: withWriteId(withChain(next, chain), changes.at(-1)?.writeId),
        editedAt: editedAt(changes),
      };
}

/** Where the log is sealed, its entries do not follow from those that were verified. */
function ofAnotherHistory(seal: SealCheck | undefined): NextPolicy {
  return { kind: 'refused', alarm: seal === undefined ? 'rolled_back' : 'seal_broken' };
}

/** The chain after these entries; undefined where nothing is sealed. */
async function sealedThrough(
  seal: SealCheck | undefined,
  base: PolicyState | undefined,
  { links, through }: { readonly links: readonly ChainLink[]; readonly through: number },
): Promise<Chain | undefined | 'broken'> {
  if (seal === undefined) return undefined;
  const from = seal.isOurs(base?.chain) ? base.chain : seal.empty;
  const chain = await inTurns(seal.following(from, links));
  // No entry counts that the chain does not reach, whoever left it out.
  return chain?.revision === through ? chain : 'broken';
}

function editedAt(changes: readonly LoggedChange[]): number | undefined {
  const latest = Date.parse(changes.at(-1)?.updatedAt ?? '');
  return Number.isNaN(latest) ? undefined : latest;
}

export interface Reload {
  readonly loaded: LoadedMappings;
  /** The policy in force, or the last one known. */
  readonly base: PolicyState | undefined;
  /** Revision of `base` when the reload began: polls may have moved it on since. */
  readonly revisionBefore: number;
  /** Absent: the change log is not sealed. */
  readonly seal?: SealCheck | undefined;
}

/**
 * From a complete read. The change log is the truth: rows that somebody wrote, changed or removed around it do
 * not count, and with a gap in it nothing does. Only the first policy of all is held against the whole log.
 *
 * @throws BrokerError `table_unavailable`
 */
export async function judgeReload(
  table: PolicyTable,
  { loaded, base, revisionBefore, seal }: Reload,
): Promise<NextPolicy> {
  if (loaded.revision < revisionBefore) return { kind: 'refused', alarm: 'rolled_back' };
  if (await isAnotherHistory(table, base, loaded)) return ofAnotherHistory(seal);
  const since = base?.revision ?? 0;
  if (base !== undefined && (await isAsBefore(loaded, base, seal))) {
    return { kind: 'next', state: ofKnownEdit(base, loaded), unexplained: [] };
  }
  const revision = Math.max(loaded.revision, since);
  const rows = await broughtUpTo(table, base, loaded);
  if (rows === undefined) return { kind: 'behind', alarm: 'change_log_gap' };
  if (base !== undefined) {
    const changes = async () => (await changesBetween(table, since, revision)) ?? [];
    const tooMuch = await losesTooMuch({ held: base.rows, candidate: rows, changes });
    if (tooMuch) return { kind: 'refused', alarm: 'shrunk' };
  }
  // A policy whose entries were never verified explains nothing: then the whole log has to.
  const range = isAnchored(base, seal)
    ? { since, through: loaded.revision }
    : { since: 0, through: revision };
  const withoutLinks = seal === undefined;
  const expected = await expectedRows(table, { rows, base, range, withoutLinks });
  if (expected === undefined) return { kind: 'refused', alarm: 'change_log_gap' };
  const through = Math.max(range.since, range.through);
  const chain = await sealedThrough(seal, base, { links: expected.links, through });
  if (chain === 'broken') return { kind: 'refused', alarm: 'seal_broken' };
  const unexplained = await inTurns(puttingRight(rows, expected));
  const state = await inTurns(policyState(revision, rows.finished(), base));
  const { writeId } = newerOf(loaded, base);
  const next = ofKnownTable(withWriteId(withChain(state, chain), writeId));
  return { kind: 'next', state: next, unexplained };
}

/** A file of an earlier release does not say which edit it was of: from here on that is known (T321). */
function ofKnownEdit(base: PolicyState, { writeId }: LoadedMappings): PolicyState {
  return base.writeId === undefined ? withWriteId(base, writeId) : base;
}

/** Nothing was written since, through the change log or around it, and everything can be read. */
async function isAsBefore(
  { revision, rows, quarantined }: LoadedMappings,
  base: PolicyState,
  seal: SealCheck | undefined,
): Promise<boolean> {
  if (revision !== base.revision || rows.size !== base.rows.size) return false;
  if (quarantined.length > 0) return false;
  return isAnchored(base, seal) && (await inTurns(areIn(base, rows)));
}

function areIn(base: PolicyState, rows: LoadedMappings['rows']): PiecesOfWork<boolean> {
  return everyInPieces(rows, rowsPerPiece, ([id, row]) => base.rows.get(id) === row);
}

function newerOf(loaded: LoadedMappings, base: PolicyState | undefined) {
  return base === undefined || loaded.revision >= base.revision ? loaded : base;
}

/** Whether the change log may be followed from this policy, instead of from its beginning. */
function isAnchored(state: PolicyState | undefined, seal: SealCheck | undefined): boolean {
  if (state?.ofUnknownTable === true) return false;
  return seal === undefined || seal.isOurs(state?.chain);
}

interface Expectation {
  /** Some more than once. */
  readonly ids: () => Iterable<string>;
  readonly of: (id: string) => PolicyRow | undefined;
  readonly links: readonly ChainLink[];
}

interface Found {
  readonly rows: MapDraft<PolicyRow>;
  readonly base: PolicyState | undefined;
  readonly range: RevisionRange;
  readonly withoutLinks: boolean;
}

/** The policy at the start of the range with the changes in the log since; undefined if that has a gap. */
async function expectedRows(
  table: PolicyTable,
  { rows, base, range, withoutLinks }: Found,
): Promise<Expectation | undefined> {
  const known = (id: string) => {
    const row = rows.get(id);
    return row?.kind === 'valid' ? row : undefined;
  };
  try {
    const {
      rows: logged,
      before,
      links,
    } = await table.loggedRows({
      ...range,
      known,
      withoutLinks,
      start: (id) => base?.rows.get(id),
    });
    const start = range.since === 0 ? undefined : base?.rows;
    return {
      links,
      *ids() {
        if (start !== undefined) yield* start.keys();
        yield* logged.keys();
      },
      of(id) {
        const row = logged.get(id);
        if (row === undefined) return start?.get(id);
        if (row.kind === 'deleted') return undefined;
        return toPolicyRow(row, before.has(id) ? before.get(id) : base?.rows.get(id));
      },
    };
  } catch (error) {
    if (isIncompleteRead(error)) return undefined;
    throw error;
  }
}

/** What stands in for a row that cannot be read takes as long to find as so many rows that can be. */
const rowsPerQuarantined = 50;

/** Makes the rows what is expected; which ones were not. */
function* puttingRight(
  rows: MapDraft<PolicyRow>,
  expected: Expectation,
): PiecesOfWork<readonly string[]> {
  const unexplained: string[] = [];
  let count = 0;
  for (const id of idsOfBoth(rows, expected)) {
    const row = id === undefined ? undefined : expected.of(id);
    if (id !== undefined && !putRight(rows, id, row)) unexplained.push(id);
    count += row?.kind === 'quarantined' ? rowsPerQuarantined : 1;
    if (count < rowsPerPiece) continue;
    count = 0;
    yield;
  }
  return unexplained;
}

/** Whether the row was what is expected. */
function putRight(rows: MapDraft<PolicyRow>, id: string, expected: PolicyRow | undefined): boolean {
  const found = rows.get(id);
  const explained = isSameRow(found, expected);
  const kept = explained && !mayBeAnotherText(found, expected) && !standInsDiffer(found, expected);
  if (!kept) rows.set(id, expected);
  return explained;
}

/** Each row, and then what is not among them, while they are put right. Undefined: what is, which takes time as well. */
function* idsOfBoth(
  rows: MapDraft<PolicyRow>,
  expected: Expectation,
): Generator<string | undefined> {
  yield* rows.keys();
  for (const id of expected.ids()) yield rows.has(id) ? undefined : id;
}

/** Nothing is taken that may be no text of the log, although the same is in force: other rules may read it. */
function mayBeAnotherText(found: PolicyRow | undefined, row: PolicyRow | undefined): boolean {
  if (found === row || found === undefined || row?.kind !== 'quarantined') return false;
  return row.digest === undefined && !isSameText(found, row);
}

/**
 * For an operator who has looked. Where the change log is sealed the rows must be what it says all the same: only
 * that it may have been put back is accepted.
 *
 * @throws BrokerError `table_unavailable`
 */
export async function takeAsFound(
  table: PolicyTable,
  { loaded, base, revisionBefore, seal }: Reload,
): Promise<NextPolicy> {
  const inForce = base?.revision ?? 0;
  // Polls went on meanwhile, and what they brought is confirmed: that is nothing to go back behind.
  if (inForce > revisionBefore && inForce > loaded.revision) {
    return { kind: 'behind', alarm: undefined };
  }
  if (seal !== undefined) {
    return await judgeReload(table, { loaded, base: undefined, revisionBefore: 0, seal });
  }
  const rows = (await inTurns(policyRows(loaded, base))).finished();
  const state = await inTurns(policyState(loaded.revision, rows, base));
  return { kind: 'next', state: ofKnownTable(withWriteId(state, loaded.writeId)) };
}

/** Polls went on while everything was read: what they brought must not be undone. */
async function broughtUpTo(
  table: PolicyTable,
  base: PolicyState | undefined,
  loaded: LoadedMappings,
): Promise<MapDraft<PolicyRow> | undefined> {
  const rows = await inTurns(policyRows(loaded, base));
  if (base === undefined || loaded.revision >= base.revision) return rows;
  const changes = await changesBetween(table, loaded.revision, base.revision);
  return changes && (await inTurns(bringingUp(rows, changes)));
}

function* bringingUp(
  rows: MapDraft<PolicyRow>,
  changes: readonly LoggedChange[],
): PiecesOfWork<MapDraft<PolicyRow> | undefined> {
  const changed = yield* changedRows(rows, changes);
  return changed && (yield* withChanges(rows, changed));
}

/** Undefined if the change log does not have them all. */
async function changesBetween(
  table: PolicyTable,
  since: number,
  through: number,
): Promise<readonly LoggedChange[] | undefined> {
  try {
    return await table.changesSince(since, { through, limit: through - since });
  } catch (error) {
    if (isIncompleteRead(error)) return undefined;
    throw error;
  }
}

function* policyRows(
  { rows, quarantined }: LoadedMappings,
  base: PolicyState | undefined,
): PiecesOfWork<MapDraft<PolicyRow>> {
  const readable: ShardedMap<PolicyRow> = rows;
  const all = readable.draft();
  let count = 0;
  for (const row of quarantined) {
    const known = base?.rows.get(row.id);
    // Another text may be there without an entry in the log: what it says by itself is compared.
    const unknown = known?.digest === undefined && known?.version === row.version;
    const before = unknown && !isSameText(row, known) ? undefined : known;
    all.set(row.id, toPolicyRow(row, before));
    count += rowsPerQuarantined;
    if (count % rowsPerPiece === 0) yield;
  }
  return all;
}
