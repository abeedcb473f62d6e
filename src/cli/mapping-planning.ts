/** From a folder and a table to a plan, or to what must be put right first: for `plan` and `apply` alike. */

import { writingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import type { WritingRules } from '../core/policy/mapping-check.ts';
import { warnOfNobody } from '../core/policy/mapping-warnings.ts';
import type { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import type { SourceFault } from '../kit/yaml/source-fault.ts';
import { type AccessChange, accessChanges } from '../mapping-files/access-changes.ts';
import { type PlanScope, planMappings } from '../mapping-files/mapping-plan.ts';
import { type FileMapping, faultIn } from '../mapping-files/read-mappings.ts';
import type { SavedPlan } from '../mapping-files/saved-plan.ts';
import { readMappingFolder } from './mapping-sources.ts';
import { contentsOf, loadMappings, tableNameOf } from './mapping-table.ts';
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
  const contents = contentsOf(await loadMappings(table, terminal));
  const { plan, conflicts, warnings } = planMappings(mappings, contents, scope);
  if (conflicts.length > 0) return { kind: 'refused', faults: conflicts };
  return {
    kind: 'planned',
    plan: { table: tableNameOf(config), ...plan },
    access: accessChanges(contents.rows, plan.changes),
    warnings: [...warnings, ...unmatched(mappings, rules)],
  };
}

/** Validate has more to say; this depends on the configuration that is applied with. */
function unmatched(mappings: readonly FileMapping[], { pools }: WritingRules): SourceFault[] {
  if (pools === undefined) return [];
  return mappings.flatMap(({ mapping, document }) =>
    warnOfNobody(mapping, pools).map((warning) => faultIn(document, warning)),
  );
}
