/** From the policy in force to the next one: what the table offers is checked here, nothing is put in force. */

import { isIncompleteRead, type RevisionRange } from './change-log.ts';
import type { Chain, ChainLink } from './entry-chain.ts';
import { isSameRow } from './logged-rows.ts';
import type { LoadedMappings } from './mapping-loader.ts';
import {
  changedRows,
  changedState,
  type PolicyState,
  policyState,
  withChain,
} from './policy-state.ts';
import type { PolicyAlarm } from './policy-sync-observer.ts';
import { type PolicyRow, toPolicyRow } from './quarantine.ts';
import type { LoggedChange } from './role-mapping-item.ts';
import type { RoleMappingTable } from './role-mapping-table.ts';
import { losesTooMuch } from './shrink-guard.ts';
import type { TableSeal } from './table-seal.ts';

export type PolicyTable = Pick<
  RoleMappingTable,
  'head' | 'loadAll' | 'changesSince' | 'loggedRows'
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

export type SealCheck = Pick<TableSeal, 'follow' | 'isOurs' | 'empty'>;

/** By the change log. @throws BrokerError `table_unavailable` */
export async function followLog(
  table: PolicyTable,
  state: PolicyState,
  seal: SealCheck | undefined,
): Promise<NextPolicy> {
  // What came before was never verified: only the whole log can tell.
  if (seal?.isOurs(state.chain) === false) return { kind: 'behind', alarm: undefined };
  const head = await table.head();
  // An older table, whose rows may grant what was taken away since (T50).
  if (head < state.revision) return { kind: 'refused', alarm: 'rolled_back' };
  if (head === state.revision) return { kind: 'unchanged' };
  if (head - state.revision > maxCatchUp) return { kind: 'behind', alarm: undefined };
  const changes = await changesBetween(table, state.revision, head);
  if (changes === undefined) return { kind: 'behind', alarm: 'change_log_gap' };
  const chain = sealedThrough(
    seal,
    state,
    changes.map(({ link }) => link),
  );
  if (chain === 'broken') return { kind: 'refused', alarm: 'seal_broken' };
  const next = changedState(state, head, changes);
  return next === undefined
    ? { kind: 'behind', alarm: 'change_log_gap' }
    : { kind: 'next', state: withChain(next, chain), editedAt: editedAt(changes) };
}

/** The chain after these entries; undefined where nothing is sealed. */
function sealedThrough(
  seal: SealCheck | undefined,
  base: PolicyState | undefined,
  links: readonly ChainLink[],
): Chain | undefined | 'broken' {
  if (seal === undefined) return undefined;
  return seal.follow(seal.isOurs(base?.chain) ? base.chain : seal.empty, links) ?? 'broken';
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
  const since = base?.revision ?? 0;
  const revision = Math.max(loaded.revision, since);
  const rows = await broughtUpTo(table, base, loaded);
  if (rows === undefined) return { kind: 'behind', alarm: 'change_log_gap' };
  if (base !== undefined) {
    const changes = async () => (await changesBetween(table, since, revision)) ?? [];
    const tooMuch = await losesTooMuch({ held: base.rows, candidate: rows, changes });
    if (tooMuch) return { kind: 'refused', alarm: 'shrunk' };
  }
  // A policy whose entries were never verified explains nothing: then the whole log has to.
  const anchored = seal === undefined || seal.isOurs(base?.chain);
  const range = anchored ? { since, through: loaded.revision } : { since: 0, through: revision };
  const expected = await expectedRows(table, { rows, base, range });
  if (expected === undefined) return { kind: 'refused', alarm: 'change_log_gap' };
  const chain = sealedThrough(seal, base, expected.links);
  if (chain === 'broken') return { kind: 'refused', alarm: 'seal_broken' };
  const unexplained = putRight(rows, expected);
  return { kind: 'next', state: withChain(policyState(revision, rows, base), chain), unexplained };
}

interface Expectation {
  readonly ids: Iterable<string>;
  readonly of: (id: string) => PolicyRow | undefined;
  readonly links: readonly ChainLink[];
}

interface Found {
  readonly rows: ReadonlyMap<string, PolicyRow>;
  readonly base: PolicyState | undefined;
  readonly range: RevisionRange;
}

/** The policy at the start of the range with the changes in the log since; undefined if that has a gap. */
async function expectedRows(
  table: PolicyTable,
  { rows, base, range }: Found,
): Promise<Expectation | undefined> {
  const known = (id: string) => {
    const row = rows.get(id);
    return row?.kind === 'valid' ? row : undefined;
  };
  try {
    const { rows: logged, links } = await table.loggedRows({ ...range, known });
    const start = range.since === 0 ? undefined : base?.rows;
    return {
      links,
      ids: [...(start?.keys() ?? []), ...logged.keys()],
      of(id) {
        const before = base?.rows.get(id);
        const row = logged.get(id);
        if (row !== undefined) return toPolicyRow(row, before);
        return logged.has(id) ? undefined : start?.get(id);
      },
    };
  } catch (error) {
    if (isIncompleteRead(error)) return undefined;
    throw error;
  }
}

/** Makes the rows what is expected; which ones were not. */
function putRight(rows: Map<string, PolicyRow>, expected: Expectation): readonly string[] {
  const unexplained: string[] = [];
  for (const id of new Set([...rows.keys(), ...expected.ids])) {
    const row = expected.of(id);
    if (isSameRow(rows.get(id), row)) continue;
    unexplained.push(id);
    if (row === undefined) rows.delete(id);
    else rows.set(id, row);
  }
  return unexplained;
}

/**
 * For an operator who has looked. Where the change log is sealed the rows must be what it says all the same: only
 * that it may have been put back is accepted.
 *
 * @throws BrokerError `table_unavailable`
 */
export async function takeAsFound(
  table: PolicyTable,
  { loaded, base, seal }: Omit<Reload, 'revisionBefore'>,
): Promise<NextPolicy> {
  if (seal !== undefined) {
    return await judgeReload(table, { loaded, base: undefined, revisionBefore: 0, seal });
  }
  return { kind: 'next', state: policyState(loaded.revision, policyRows(loaded, base), base) };
}

/** Polls went on while everything was read: what they brought must not be undone. */
async function broughtUpTo(
  table: PolicyTable,
  base: PolicyState | undefined,
  loaded: LoadedMappings,
): Promise<Map<string, PolicyRow> | undefined> {
  const rows = policyRows(loaded, base);
  if (base === undefined || loaded.revision >= base.revision) return rows;
  const changes = await changesBetween(table, loaded.revision, base.revision);
  const changed = changes && changedRows(rows, changes);
  for (const [id, row] of changed ?? []) {
    if (row === undefined) rows.delete(id);
    else rows.set(id, row);
  }
  return changed && rows;
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

function policyRows(
  { rows, quarantined }: LoadedMappings,
  base: PolicyState | undefined,
): Map<string, PolicyRow> {
  const all = new Map<string, PolicyRow>();
  for (const row of rows) all.set(row.id, row);
  for (const row of quarantined) all.set(row.id, toPolicyRow(row, base?.rows.get(row.id)));
  return all;
}
