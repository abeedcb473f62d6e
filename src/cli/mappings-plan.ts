/** `mappings plan`: what `apply` would change, and whether the table says what the files say. */

import { writeFileSync } from 'node:fs';
import type { Config } from '../config/schema.ts';
import type { AccessChange } from '../mapping-files/access-changes.ts';
import type { PlanScope } from '../mapping-files/mapping-plan.ts';
import { printPlan, type SavedPlan } from '../mapping-files/saved-plan.ts';
import { makePlan } from './mapping-planning.ts';
import { accessReport, faultReport, ownerReport, planReport } from './mapping-report.ts';
import { withMappingTable } from './mapping-table.ts';
import { exitCodes, type Output } from './output.ts';
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

/** As `terraform plan -detailed-exitcode` has it. */
const drift = 2;

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
      if (json) output.out(`${JSON.stringify({ faults: result.faults })}\n`);
      else output.err(faultReport(result.faults));
      return exitCodes.failed;
    }
    const { plan, access, warnings } = result;
    output.err(faultReport(warnings, 'warning'));
    output.out(json ? printPlan(plan) : planForReview(plan, access, markdown));
    if (out !== undefined) {
      writeFileSync(out, printPlan(plan));
      output.err(`Saved as ${out}: apply it with --plan ${out}\n`);
    }
    const same = plan.changes.length === 0 && plan.notInFiles.length === 0;
    return same ? exitCodes.ok : drift;
  });
}

function planForReview(
  plan: SavedPlan,
  access: readonly AccessChange[],
  markdown: boolean,
): string {
  if (plan.changes.length === 0) return planReport(plan);
  const who = accessReport(access) + ownerReport(plan);
  if (!markdown) return `${planReport(plan)}\n${who}`;
  // Every line within a fence begins with blanks or words of ours: none of it can end the fence.
  return `### Role mappings: who gains and who loses\n\n${fenced(who)}\n${fenced(planReport(plan))}`;
}

function fenced(text: string): string {
  return `\`\`\`diff\n${text.replace(/^ +(?=[+~-] )/gm, '')}\`\`\`\n`;
}
