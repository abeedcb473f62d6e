/** The policy in force with the rows that it was made of: replaced as a whole, never changed. */

import {
  changingSnapshot,
  compileSnapshot,
  type PolicySnapshot,
  type RowChange,
} from '../core/policy/policy-snapshot.ts';
import type { StoredRoleMapping } from '../core/policy/role-mapping.ts';
import { type MapDraft, ShardedMap } from '../core/policy/sharded-map.ts';
import { eachInPieces, everyInPieces, type PiecesOfWork } from '../kit/timing/in-turns.ts';
import type { Chain } from './entry-chain.ts';
import { mappingsOf, type PolicyRow, type QuarantinedRow, toPolicyRow } from './quarantine.ts';
import type { LoggedChange } from './role-mapping-item.ts';

export interface PolicyState {
  readonly revision: number;
  readonly rows: ShardedMap<PolicyRow>;
  /** Those of the rows that cannot be read. */
  readonly quarantined: ShardedMap<QuarantinedRow>;
  readonly snapshot: PolicySnapshot;
  /** Of the change log up to the revision; undefined where that is not verified. */
  readonly chain?: Chain | undefined;
  /** Of the edit that made the revision, where that is known: another one is another history. */
  readonly writeId?: string | undefined;
  /** From a file that does not say of which table it is: the table is compared with it, and nothing follows from it. */
  readonly ofUnknownTable?: true;
}

/** Undefined: there is none any more. */
export type ChangedRows = ReadonlyMap<string, PolicyRow | undefined>;

const nothing: PolicyState = {
  revision: 0,
  rows: ShardedMap.of(),
  quarantined: ShardedMap.of(),
  snapshot: compileSnapshot(0, []),
};

const rowsPerPiece = 1_000;

/** `previous` lends what is already compiled; if nothing at all is different, it is the answer. */
export function* policyState(
  revision: number,
  rows: ShardedMap<PolicyRow>,
  previous: PolicyState = nothing,
): PiecesOfWork<PolicyState> {
  const changed: [string, PolicyRow | undefined][] = [];
  yield* eachInPieces(rows, rowsPerPiece, ([id, row]) => {
    if (previous.rows.get(id) !== row) changed.push([id, row]);
  });
  yield* eachInPieces(previous.rows.keys(), rowsPerPiece, (id) => {
    if (!rows.has(id)) changed.push([id, undefined]);
  });
  if (changed.length === 0 && previous.revision === revision) return previous;
  return yield* withRows(previous, revision, changed, rows);
}

/** Each may copy a part of the map of rows. */
const changesPerPiece = 10;

/** The state after these changes, or undefined if they do not follow on from it. Costs what the changes cost. */
export function* changedState(
  state: PolicyState,
  revision: number,
  changes: readonly LoggedChange[],
): PiecesOfWork<PolicyState | undefined> {
  const changed = yield* changedRows(state.rows, changes);
  if (changed === undefined) return undefined;
  const rows = yield* withChanges(state.rows.draft(), changed);
  return yield* withRows(state, revision, changed, rows.finished());
}

/** The same draft, changed. */
export function* withChanges(
  rows: MapDraft<PolicyRow>,
  changed: ChangedRows,
): PiecesOfWork<MapDraft<PolicyRow>> {
  yield* eachInPieces(changed, changesPerPiece, ([id, row]) => rows.set(id, row));
  return rows;
}

/** The same state, where the chain is the same. */
export function withChain(state: PolicyState, chain: Chain | undefined): PolicyState {
  const { chain: has } = state;
  if (has?.digest === chain?.digest && has?.name === chain?.name) return state;
  return { ...state, chain };
}

/** The same state, where the edit is the same. */
export function withWriteId(state: PolicyState, writeId: string | undefined): PolicyState {
  return state.writeId === writeId ? state : { ...state, writeId };
}

/** The same state, once the table has been read as a whole. */
export function ofKnownTable(state: PolicyState): PolicyState {
  if (state.ofUnknownTable === undefined) return state;
  const { ofUnknownTable, ...known } = state;
  return known;
}

/** `rows`: as they are after the changes. */
function* withRows(
  state: PolicyState,
  revision: number,
  changed: Iterable<readonly [string, PolicyRow | undefined]>,
  rows: ShardedMap<PolicyRow>,
): PiecesOfWork<PolicyState> {
  const quarantined = state.quarantined.draft();
  function* changes(): Generator<RowChange> {
    for (const [id, row] of changed) {
      const before = state.rows.get(id);
      if (isQuarantined(row) || isQuarantined(before)) {
        quarantined.set(id, isQuarantined(row) ? row : undefined);
      }
      yield { before: mappingsIn(before), after: mappingsIn(row) };
    }
  }
  const snapshot = yield* changingSnapshot(state.snapshot, revision, changes());
  return { revision, rows, quarantined: quarantined.finished(), snapshot };
}

/**
 * The rows that these changes make different, or undefined if the changes do not follow on from the rows: then
 * the two come from different histories, as after a restore of the table.
 */
export function* changedRows(
  rows: Pick<ReadonlyMap<string, PolicyRow>, 'get'>,
  changes: readonly LoggedChange[],
): PiecesOfWork<ChangedRows | undefined> {
  const changed = new Map<string, PolicyRow | undefined>();
  const follow = yield* everyInPieces(changes, changesPerPiece, ({ id, action, version, row }) => {
    const known = changed.has(id) ? changed.get(id) : rows.get(id);
    const follows = action === 'create' ? known === undefined : known?.version === version - 1;
    if (follows) changed.set(id, row && toPolicyRow(row, known));
    return follows;
  });
  return follow ? changed : undefined;
}

function mappingsIn(row: PolicyRow | undefined): readonly StoredRoleMapping[] {
  return row === undefined ? [] : mappingsOf(row);
}

function isQuarantined(row: PolicyRow | undefined): row is QuarantinedRow {
  return row?.kind === 'quarantined';
}
