/** How `who-can` and `what-can` show whether a mapping counts, and on which conditions. */

import type { Cell } from '../text-table.ts';

export function statusCell({ effect, status }: { effect: string; status: string }): string | Cell {
  if (status !== 'in_force') return status.replaceAll('_', ' ');
  return { text: 'in force', tone: effect === 'allow' ? 'good' : 'bad' };
}

export function permissionConditions({
  conditions,
}: {
  readonly conditions: Readonly<Record<string, unknown>>;
}): string {
  return Object.entries(conditions)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join(', ');
}
