/** A version of the history as one line: who made it, when, and why. */

import type { ChangeFacts } from '../core/editing/change-facts.ts';

/** `replace at 2026-01-15T12:00:00.000Z by …: INC-1234`; not yet printable. */
export function whoAndWhy({
  action,
  updatedAt,
  updatedBy,
  actorProven,
  reason,
}: Pick<ChangeFacts, 'updatedAt' | 'updatedBy' | 'actorProven' | 'reason'> & {
  readonly action: string;
}): string {
  const proven = actorProven ? '' : ' (not proven)';
  return `${action} at ${updatedAt} by ${updatedBy}${proven}: ${reason}`;
}
