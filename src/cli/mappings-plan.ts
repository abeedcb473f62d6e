/** `mappings plan`: what `apply` would change, and whether the table says what the files say. */

import { writeFileSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import type { PlanScope } from '../mapping-files/mapping-plan.ts';
import { printPlan } from '../mapping-files/saved-plan.ts';
import { makePlan } from './mapping-planning.ts';
import { faultReport, planReport } from './mapping-report.ts';
import { withMappingTable } from './mapping-table.ts';
import { exitCodes, type Output } from './output.ts';
import type { Terminal } from './terminal.ts';

export interface MappingsPlanOptions {
  readonly directory: string;
  readonly config: Config;
  readonly scope: PlanScope;
  readonly json: boolean;
  /** Gets the plan, for `apply --plan`. */
  readonly out: string | undefined;
  readonly output: Output;
  readonly terminal: Terminal;
}

/** As `terraform plan -detailed-exitcode` has it. */
const drift = 2;

/**
 * Exit code: 0 the table says what the files say, 2 it does not, 1 there is no plan.
 *
 * @throws BrokerError `table_unavailable`
 */
export function mappingsPlan(options: MappingsPlanOptions): Promise<number> {
  return withMappingTable(options.config, async (table) => {
    const { json, out, output } = options;
    const result = await makePlan({ ...options, table });
    if (result.kind === 'refused') {
      if (json) output.out(`${JSON.stringify({ faults: result.faults })}\n`);
      else output.err(faultReport(result.faults));
      return exitCodes.failed;
    }
    const { plan, warnings } = result;
    output.err(faultReport(warnings, 'warning'));
    output.out(json ? printPlan(plan) : planReport(plan));
    if (out !== undefined) {
      writeFileSync(out, printPlan(plan));
      output.err(`Saved as ${out}: apply it with --plan ${out}\n`);
    }
    const same = plan.changes.length === 0 && plan.notInFiles.length === 0;
    return same ? exitCodes.ok : drift;
  });
}
