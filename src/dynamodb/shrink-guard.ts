/** Tells a policy that was reduced on purpose from one that got lost on the way. */

import type { LoggedChange } from './role-mapping-item.ts';

/** Fewer rows than this come and go for good reasons. */
const guardedFromRows = 5;
const maxLossFraction = 0.2;

export interface RowLoss {
  /** Ids in force. */
  readonly held: { readonly size: number; keys(): Iterable<string> };
  readonly candidate: { has(id: string): boolean };
  /** What the change log has since the policy in force; asked for only when it matters. */
  readonly changes: () => Promise<readonly LoggedChange[]>;
}

/**
 * True if more than 20 % of the rows would go without a deletion in the change log. Deletions that are in the
 * log went through the API, with a name and a reason, and are not held back.
 */
export async function losesTooMuch({ held, candidate, changes }: RowLoss): Promise<boolean> {
  if (held.size < guardedFromRows) return false;
  const allowed = held.size * maxLossFraction;
  const lost = new Set([...held.keys()].filter((id) => !candidate.has(id)));
  if (lost.size <= allowed) return false;
  for (const { id, action } of await changes()) if (action === 'delete') lost.delete(id);
  return lost.size > allowed;
}
