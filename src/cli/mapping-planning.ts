/** From a folder and a table to a plan, or to what must be put right first: for `plan` and `apply` alike. */

import { writingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import type { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import { systemClock } from '../kit/timing/clock.ts';
import type { SourceFault } from '../kit/yaml/source-fault.ts';
import { type AccessChange, accessChanges } from '../mapping-files/access-changes.ts';
import { isUnsettled } from '../mapping-files/hand-edits.ts';
import { type PlanScope, planMappings } from '../mapping-files/mapping-plan.ts';
import { warningsFor } from '../mapping-files/read-mappings.ts';
import type { SavedPlan } from '../mapping-files/saved-plan.ts';
import { type HandEditsById, handEditsIn } from './mapping-histories.ts';
import { readMappingFolder } from './mapping-sources.ts';
import { contentsOf, loadWithProgress, tableNameOf } from './mapping-table.ts';
import type { Terminal } from './terminal.ts';

export interface PlanningOptions {
  readonly directory: string;
  readonly config: Config;
  readonly scope: PlanScope;
  readonly table: RoleMappingTable;
  readonly terminal: Terminal;
}

export type PlanningResult =
  | {
      readonly kind: 'planned';
      readonly plan: SavedPlan;
      readonly access: readonly AccessChange[];
      /** Of the mappings that are shown: what was changed outside of Git. */
      readonly handEdits: HandEditsById;
      /** Of `validate`, for the mappings that change, and of the plan itself. */
      readonly warnings: readonly SourceFault[];
    }
  | { readonly kind: 'refused'; readonly faults: readonly SourceFault[] };

/** @throws BrokerError `table_unavailable` */
export async function makePlan(options: PlanningOptions): Promise<PlanningResult> {
  const { directory, config, scope, table, terminal } = options;
  terminal.showProgress('Reading the files …');
  const rules = writingRules(config);
  const { mappings, faults } = readMappingFolder(directory, rules);
  terminal.showProgress('');
  if (faults.length > 0) return { kind: 'refused', faults };
  // Most rows say what their file says, and that was checked.
  const byId = new Map(mappings.map(({ mapping }) => [mapping.id, mapping]));
  const loaded = await loadWithProgress(table, terminal, { checked: (id) => byId.get(id) });
  const contents = contentsOf(loaded);
  const { plan, conflicts, warnings } = planMappings(mappings, contents, scope);
  if (conflicts.length > 0) return { kind: 'refused', faults: conflicts };
  const changed = new Set(plan.changes.map(({ id }) => id));
  const ids = [...changed, ...plan.notInFiles.map(({ id }) => id)];
  const handEdits = await handEditsIn(table, { ids, loaded }, terminal);
  for (const { id, before, after } of plan.changes) {
    const byHand = handEdits.get(id);
    if (byHand !== undefined && !isUnsettled(before, after, byHand)) handEdits.delete(id);
  }
  const now = systemClock.now();
  const legal = warningsFor(mappings, rules.pools, now, changed);
  return {
    kind: 'planned',
    plan: { table: tableNameOf(config), ...plan },
    access: accessChanges(contents.rows, plan.changes, now),
    handEdits,
    warnings: [...warnings, ...legal],
  };
}
