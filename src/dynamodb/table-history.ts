/** Whether the table is the one that the policy in force came from: by the edit that made its revision. */

import type { PolicyState } from './policy-state.ts';
import type { Head } from './role-mapping-item.ts';
import type { RoleMappingTable } from './role-mapping-table.ts';

/**
 * A table that was put back, or made anew under its name, and has gone on since: what it changed before this revision is
 * not in the state, its denies among them (T321). What cannot be compared is not known to be another.
 */
export async function isAnotherHistory(
  table: Pick<RoleMappingTable, 'writeIdOf'>,
  state: PolicyState | undefined,
  { revision, writeId: newest }: Pick<Head, 'revision' | 'writeId'>,
): Promise<boolean> {
  if (state?.writeId === undefined) return false;
  const isNewest = state.revision === revision;
  const writeId = isNewest ? newest : await table.writeIdOf(state.revision);
  return writeId !== undefined && state.writeId !== writeId;
}
