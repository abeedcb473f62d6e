/** The policy in force with the rows that it was made of: replaced as a whole, never changed. */

import { compileSnapshot, type PolicySnapshot } from '../core/policy-snapshot.ts';
import type { StoredRoleMapping } from '../core/role-mapping.ts';
import { mappingsOf, type PolicyRow, toPolicyRow } from './quarantine.ts';
import type { LoggedChange } from './role-mapping-item.ts';

export interface PolicyState {
  readonly revision: number;
  readonly rows: ReadonlyMap<string, PolicyRow>;
  readonly quarantined: number;
  readonly snapshot: PolicySnapshot;
}

/** `previous` lends what is already compiled; if nothing at all is different, it is the answer. */
export function policyState(
  revision: number,
  rows: ReadonlyMap<string, PolicyRow>,
  previous?: PolicyState,
): PolicyState {
  if (previous?.revision === revision && sameRows(rows, previous.rows)) return previous;
  let quarantined = 0;
  for (const { kind } of rows.values()) if (kind === 'quarantined') quarantined += 1;
  const snapshot = compileSnapshot(revision, allMappings(rows), previous?.snapshot);
  return { revision, rows, quarantined, snapshot };
}

/**
 * The rows after these changes, or undefined if they do not follow on from the rows: then the two come from
 * different histories, as after a restore of the table.
 */
export function changedRows(
  rows: ReadonlyMap<string, PolicyRow>,
  changes: readonly LoggedChange[],
): ReadonlyMap<string, PolicyRow> | undefined {
  const changed = new Map(rows);
  for (const { id, action, version, row } of changes) {
    const known = changed.get(id);
    const follows = action === 'create' ? known === undefined : known?.version === version - 1;
    if (!follows) return undefined;
    if (row === undefined) changed.delete(id);
    else changed.set(id, toPolicyRow(row, known));
  }
  return changed;
}

function* allMappings(rows: ReadonlyMap<string, PolicyRow>): Generator<StoredRoleMapping> {
  for (const row of rows.values()) yield* mappingsOf(row);
}

function sameRows(
  rows: ReadonlyMap<string, PolicyRow>,
  others: ReadonlyMap<string, PolicyRow>,
): boolean {
  if (rows.size !== others.size) return false;
  for (const [id, row] of rows) if (others.get(id) !== row) return false;
  return true;
}
