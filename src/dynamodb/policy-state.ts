/** The policy in force with the rows that it was made of: replaced as a whole, never changed. */

import {
  changeSnapshot,
  compileSnapshot,
  type PolicySnapshot,
  type RowChange,
} from '../core/policy/policy-snapshot.ts';
import type { StoredRoleMapping } from '../core/policy/role-mapping.ts';
import { ShardedMap } from '../core/policy/sharded-map.ts';
import type { Chain } from './entry-chain.ts';
import { mappingsOf, type PolicyRow, toPolicyRow } from './quarantine.ts';
import type { LoggedChange } from './role-mapping-item.ts';

export interface PolicyState {
  readonly revision: number;
  readonly rows: ShardedMap<PolicyRow>;
  readonly quarantined: number;
  readonly snapshot: PolicySnapshot;
  /** Of the change log up to the revision; undefined where that is not verified. */
  readonly chain?: Chain | undefined;
}

/** Undefined: there is none any more. */
type ChangedRows = ReadonlyMap<string, PolicyRow | undefined>;

const nothing: PolicyState = {
  revision: 0,
  rows: ShardedMap.of(),
  quarantined: 0,
  snapshot: compileSnapshot(0, []),
};

/** `previous` lends what is already compiled; if nothing at all is different, it is the answer. */
export function policyState(
  revision: number,
  rows: ReadonlyMap<string, PolicyRow>,
  previous: PolicyState = nothing,
): PolicyState {
  const changed = new Map<string, PolicyRow | undefined>();
  for (const [id, row] of rows) if (previous.rows.get(id) !== row) changed.set(id, row);
  for (const id of previous.rows.keys()) if (!rows.has(id)) changed.set(id, undefined);
  if (changed.size === 0 && previous.revision === revision) return previous;
  return withRows(previous, revision, changed);
}

/** The state after these changes, or undefined if they do not follow on from it. Costs what the changes cost. */
export function changedState(
  state: PolicyState,
  revision: number,
  changes: readonly LoggedChange[],
): PolicyState | undefined {
  const changed = changedRows(state.rows, changes);
  return changed && withRows(state, revision, changed);
}

/** The same state, where the chain is the same. */
export function withChain(state: PolicyState, chain: Chain | undefined): PolicyState {
  const { chain: has } = state;
  if (has?.digest === chain?.digest && has?.name === chain?.name) return state;
  return { ...state, chain };
}

function withRows(state: PolicyState, revision: number, changed: ChangedRows): PolicyState {
  let { quarantined } = state;
  const changes: RowChange[] = [];
  for (const [id, row] of changed) {
    const before = state.rows.get(id);
    quarantined += isQuarantined(row) - isQuarantined(before);
    changes.push({ before: mappingsIn(before), after: mappingsIn(row) });
  }
  return {
    revision,
    rows: state.rows.with(changed),
    quarantined,
    snapshot: changeSnapshot(state.snapshot, revision, changes),
  };
}

/**
 * The rows that these changes make different, or undefined if the changes do not follow on from the rows: then
 * the two come from different histories, as after a restore of the table.
 */
export function changedRows(
  rows: ReadonlyMap<string, PolicyRow>,
  changes: readonly LoggedChange[],
): ChangedRows | undefined {
  const changed = new Map<string, PolicyRow | undefined>();
  for (const { id, action, version, row } of changes) {
    const known = changed.has(id) ? changed.get(id) : rows.get(id);
    const follows = action === 'create' ? known === undefined : known?.version === version - 1;
    if (!follows) return undefined;
    changed.set(id, row && toPolicyRow(row, known));
  }
  return changed;
}

function mappingsIn(row: PolicyRow | undefined): readonly StoredRoleMapping[] {
  return row === undefined ? [] : mappingsOf(row);
}

function isQuarantined(row: PolicyRow | undefined): number {
  return row?.kind === 'quarantined' ? 1 : 0;
}
