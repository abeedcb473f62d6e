/** `mappings plan`: what `apply` would change, and whether the table says what the files say. */

import type { Config } from '../config/schema.ts';
import { whyRefused, writeNamedFileSync } from '../kit/files/named-output.ts';
import { jsonLine } from '../kit/json/ascii-json.ts';
import type { PlanScope } from '../mapping-files/mapping-plan.ts';
import { printPlan } from '../mapping-files/saved-plan.ts';
import { makePlan } from './mapping-planning.ts';
import { faultReport, planReport, reviewText, warningReport } from './mapping-report.ts';
import { withMappingTable } from './mapping-table.ts';
import { exitCodes, type Output, refuse } from './output.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

export interface MappingsPlanOptions {
  readonly directory: string;
  readonly config: Config;
  readonly scope: PlanScope;
  readonly json: boolean;
  /** For a pull request. */
  readonly markdown: boolean;
  /** Gets the plan, for `apply --plan`. */
  readonly out: string | undefined;
  readonly output: Output;
  readonly terminal: Terminal;
}

/**
 * Exit code: 0 the table says what the files say, 2 it does not, 1 there is no plan.
 *
 * @throws BrokerError `table_unavailable`
 */
export function mappingsPlan(options: MappingsPlanOptions): Promise<number> {
  return withMappingTable(options.config, async (table) => {
    const { json, markdown, out, output } = options;
    const result = await makePlan({ ...options, table });
    if (result.kind === 'refused') {
      if (json) output.out(jsonLine({ faults: result.faults }));
      else output.err(faultReport(result.faults));
      return exitCodes.failed;
    }
    const { plan, access, handEdits, warnings } = result;
    const legal = warningReport(warnings);
    output.err(legal);
    const report = planReport(plan, handEdits);
    const review = { report, changes: plan.changes, access, warnings: legal };
    output.out(json ? printPlan(plan) : reviewText(review, markdown));
    if (out !== undefined) {
      const obstacle = whyRefused(() => writeNamedFileSync(out, printPlan(plan)));
      if (obstacle !== undefined) return refuse(output, obstacle);
      output.err(`${printable(`Saved as ${out}: apply it with --plan ${out}`)}\n`);
    }
    const same = plan.changes.length === 0 && plan.notInFiles.length === 0;
    return same ? exitCodes.ok : exitCodes.found;
  });
}
