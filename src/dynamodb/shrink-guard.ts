/** Tells a policy that was reduced on purpose from one that got lost on the way. */

import { eachInPieces, inTurns, type PiecesOfWork } from '../kit/timing/in-turns.ts';
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
  const lost = await inTurns(losing(held, candidate));
  if (lost.size <= allowed) return false;
  for (const { id, action } of await changes()) if (action === 'delete') lost.delete(id);
  return lost.size > allowed;
}

const rowsPerPiece = 1_000;

function* losing(
  held: RowLoss['held'],
  candidate: RowLoss['candidate'],
): PiecesOfWork<Set<string>> {
  const lost = new Set<string>();
  yield* eachInPieces(held.keys(), rowsPerPiece, (id) => {
    if (!candidate.has(id)) lost.add(id);
  });
  return lost;
}
