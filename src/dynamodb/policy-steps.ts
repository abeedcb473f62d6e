/** From the policy in force to the next one: what the table offers is checked here, nothing is put in force. */

import { isIncompleteRead } from './change-log.ts';
import type { LoadedMappings } from './mapping-loader.ts';
import { changedRows, changedState, type PolicyState, policyState } from './policy-state.ts';
import type { PolicyAlarm } from './policy-sync-observer.ts';
import { type PolicyRow, toPolicyRow } from './quarantine.ts';
import type { LoggedChange } from './role-mapping-item.ts';
import type { RoleMappingTable } from './role-mapping-table.ts';
import { losesTooMuch } from './shrink-guard.ts';

export type PolicyTable = Pick<RoleMappingTable, 'head' | 'loadAll' | 'changesSince'>;

export type NextPolicy =
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'next';
      readonly state: PolicyState;
      /** Epoch milliseconds of the latest edit in it, where the change log brought it. */
      readonly editedAt?: number | undefined;
    }
  /** The change log cannot lead there: everything must be read. */
  | { readonly kind: 'behind'; readonly alarm: PolicyAlarm | undefined }
  | { readonly kind: 'refused'; readonly alarm: PolicyAlarm };

/** Reading so many changes costs about as much as reading everything. */
const maxCatchUp = 5_000;

/** By the change log. @throws BrokerError `table_unavailable` */
export async function followLog(table: PolicyTable, state: PolicyState): Promise<NextPolicy> {
  const head = await table.head();
  // An older table, whose rows may grant what was taken away since (T50).
  if (head < state.revision) return { kind: 'refused', alarm: 'rolled_back' };
  if (head === state.revision) return { kind: 'unchanged' };
  if (head - state.revision > maxCatchUp) return { kind: 'behind', alarm: undefined };
  const changes = await changesBetween(table, state.revision, head);
  const next = changes && changedState(state, head, changes);
  return next === undefined
    ? { kind: 'behind', alarm: 'change_log_gap' }
    : { kind: 'next', state: next, editedAt: editedAt(changes) };
}

function editedAt(changes: readonly LoggedChange[] | undefined): number | undefined {
  const latest = Date.parse(changes?.at(-1)?.updatedAt ?? '');
  return Number.isNaN(latest) ? undefined : latest;
}

export interface Reload {
  readonly loaded: LoadedMappings;
  /** The policy in force, or the last one known. */
  readonly base: PolicyState | undefined;
  /** Revision of `base` when the reload began: polls may have moved it on since. */
  readonly revisionBefore: number;
}

/** From a complete read. @throws BrokerError `table_unavailable` */
export async function judgeReload(
  table: PolicyTable,
  { loaded, base, revisionBefore }: Reload,
): Promise<NextPolicy> {
  if (base === undefined) return { kind: 'next', state: takeAsFound(loaded, base) };
  if (loaded.revision < revisionBefore) return { kind: 'refused', alarm: 'rolled_back' };
  const revision = Math.max(loaded.revision, base.revision);
  const rows = await broughtUpTo(table, base, loaded);
  if (rows === undefined) return { kind: 'behind', alarm: 'change_log_gap' };
  const tooMuch = await losesTooMuch({
    held: base.rows,
    candidate: rows,
    changes: async () => (await changesBetween(table, base.revision, revision)) ?? [],
  });
  return tooMuch
    ? { kind: 'refused', alarm: 'shrunk' }
    : { kind: 'next', state: policyState(revision, rows, base) };
}

export function takeAsFound(loaded: LoadedMappings, base: PolicyState | undefined): PolicyState {
  return policyState(loaded.revision, policyRows(loaded, base), base);
}

/** Polls went on while everything was read: what they brought must not be undone. */
async function broughtUpTo(
  table: PolicyTable,
  base: PolicyState,
  loaded: LoadedMappings,
): Promise<ReadonlyMap<string, PolicyRow> | undefined> {
  const rows = policyRows(loaded, base);
  if (loaded.revision >= base.revision) return rows;
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
