/** `mappings apply`: makes the table say what the files, or a plan saved earlier, say. */

import { TokenBrokerError } from '../client/broker-client.ts';
import type { Config } from '../config/schema.ts';
import { BrokerError } from '../core/errors.ts';
import { isChangeReason } from '../core/policy/change-reason.ts';
import type { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import { readGivenFileSync } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import type { PlannedChange, PlanScope } from '../mapping-files/mapping-plan.ts';
import { misrepresented, parsePlan, type SavedPlan } from '../mapping-files/saved-plan.ts';
import {
  type ApplyChange,
  type ApplyEditorOptions,
  applyAuditDirectory,
  withApplyEditor,
} from './apply-editor.ts';
import { makePlan } from './mapping-planning.ts';
import { changeCounts, faultReport, planReport, tableTitle } from './mapping-report.ts';
import { contentsOf, loadMappings, tableNameOf, withMappingTable } from './mapping-table.ts';
import { exitCodes, type Output } from './output.ts';
import type { Terminal } from './terminal.ts';

export interface MappingsApplyOptions {
  readonly from:
    | { readonly kind: 'folder'; readonly directory: string }
    | { readonly kind: 'plan'; readonly file: string };
  readonly config: Config;
  readonly scope: PlanScope;
  /** Kept in the history of each mapping. */
  readonly reason: string;
  /** Kept in the history of each mapping; a claim, unless there is a token. */
  readonly actor: string;
  /** File with a token of an administrator, which proves who applies. */
  readonly tokenFile: string | undefined;
  /** Where the audit records go; default: `apply` in that of the configuration. */
  readonly auditDirectory: string | undefined;
  /** Of this program. */
  readonly version: string;
  /** Without asking. */
  readonly yes: boolean;
  readonly json: boolean;
  readonly output: Output;
  readonly terminal: Terminal;
}

/**
 * Exit code: 0 the table says what was planned; 1 it does not, or not all of it; 2 wrong usage; 3 what is missing waits for
 * a second administrator.
 *
 * @throws BrokerError `table_unavailable` before anything was written
 */
export async function mappingsApply(options: MappingsApplyOptions): Promise<number> {
  const { reason, yes, terminal, config, output } = options;
  const refuse = (text: string, code: number = exitCodes.failed) => {
    output.err(`${text}\n`);
    return code;
  };
  if (!isChangeReason(reason)) {
    return refuse('Give a --reason of 1 to 500 printable characters.', exitCodes.usage);
  }
  if (!yes && terminal.ask === undefined) {
    return refuse('Nobody is here to confirm the plan: add --yes.', exitCodes.usage);
  }
  const auditDirectory = applyAuditDirectory(config, options.auditDirectory);
  if (auditDirectory === undefined) {
    return refuse(
      'The configuration has no audit.directory: say with --audit-directory where the record of the changes goes.',
      exitCodes.usage,
    );
  }
  return await withMappingTable(config, async (table) => {
    const plan = await obtainPlan(options, table);
    if (typeof plan === 'string') return refuse(plan);
    if (!options.json) output.out(planReport(plan));
    const obstacle = await obstacleTo(plan, table, options);
    if (obstacle !== undefined) return refuse(obstacle);
    return await applyPlan(plan, { ...options, auditDirectory, store: table });
  });
}

async function applyPlan(
  plan: SavedPlan,
  options: MappingsApplyOptions & ApplyEditorOptions,
): Promise<number> {
  if (plan.changes.length === 0) return report(plan, { applied: [], proposed: [] }, options);
  try {
    return await withApplyEditor(options, (apply) => carryOut(plan, apply, options));
  } catch (error) {
    if (!(error instanceof BrokerError || error instanceof TokenBrokerError)) throw error;
    options.output.err(`${error.message}\nNothing was written.\n`);
    return exitCodes.failed;
  }
}

/** Why a plan that is there is not carried out. */
async function obstacleTo(
  plan: SavedPlan,
  table: RoleMappingTable,
  { yes, terminal }: MappingsApplyOptions,
): Promise<string | undefined> {
  if (plan.changes.length > 0 && !yes && !(await isConfirmed(plan, terminal))) {
    return 'Not confirmed: nothing was written.';
  }
  const revision = await table.head();
  return revision === plan.revision
    ? undefined
    : `The table is at revision ${revision}, and the plan was made against ${plan.revision}: nothing was written. Plan again.`;
}

/** A text says why there is none. */
async function obtainPlan(
  options: MappingsApplyOptions,
  table: RoleMappingTable,
): Promise<SavedPlan | string> {
  const { from, output } = options;
  if (from.kind === 'plan') return await readSoundPlan(from.file, options, table);
  const result = await makePlan({ ...options, directory: from.directory, table });
  if (result.kind === 'refused') {
    output.err(faultReport(result.faults));
    return 'Nothing was written.';
  }
  output.err(faultReport(result.warnings, 'warning'));
  return result.plan;
}

/** A plan that was altered on its way could show one thing and do another (T108). */
async function readSoundPlan(
  file: string,
  { config, scope, terminal }: MappingsApplyOptions,
  table: RoleMappingTable,
): Promise<SavedPlan | string> {
  const plan = readPlan(file, config, scope);
  if (typeof plan === 'string') return plan;
  const contents = contentsOf(await loadMappings(table, terminal));
  // Of a table that has moved more is said later.
  const wrong = contents.revision === plan.revision ? misrepresented(plan, contents) : [];
  if (wrong.length === 0) return plan;
  return `What the plan starts from is not what the table has: ${wrong.slice(0, 5).join(', ')}. It was altered, or the table was written around the broker: nothing was written. Plan again.`;
}

const maxPlanBytes = 512 * 1024 * 1024;

function readPlan(file: string, config: Config, { prune }: PlanScope): SavedPlan | string {
  let plan: SavedPlan | undefined;
  try {
    plan = parsePlan(readGivenFileSync(file, maxPlanBytes).toString());
  } catch (error) {
    if (error instanceof FileRefusedError) return error.message;
    return `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`;
  }
  if (plan === undefined) return `${file} is not a plan that this version has saved.`;
  const [planned, configured] = [tableTitle(plan.table), tableTitle(tableNameOf(config))];
  if (planned !== configured) {
    return `The plan is for the table ${planned}, and the configuration names ${configured}.`;
  }
  const deletions = changeCounts(plan).delete;
  return deletions > 0 && !prune
    ? `The plan deletes role mappings (${deletions}): add --prune if that is meant.`
    : plan;
}

async function isConfirmed({ changes, table }: SavedPlan, { ask }: Terminal): Promise<boolean> {
  const question = `Make ${changes.length} changes in table ${tableTitle(table)}? Only "yes" does: `;
  return (await ask?.(question))?.trim() === 'yes';
}

interface Applied {
  readonly id: string;
  readonly action: PlannedChange['action'];
  readonly version: number;
  readonly revision: number;
}

interface Failure {
  readonly id: string;
  readonly error: BrokerError;
}

interface Proposed {
  readonly id: string;
  /** Below the address of the admin listener. */
  readonly proposal: string;
}

interface Outcome {
  readonly applied: readonly Applied[];
  /** What waits for a second administrator. */
  readonly proposed: readonly Proposed[];
  readonly failure?: Failure | undefined;
}

async function carryOut(
  plan: SavedPlan,
  apply: ApplyChange,
  options: MappingsApplyOptions,
): Promise<number> {
  const done = { applied: [] as Applied[], proposed: [] as Proposed[] };
  const failure = await writeAll(plan, apply, options, done);
  return report(plan, { ...done, failure }, options);
}

function report(
  plan: SavedPlan,
  { applied, proposed, failure }: Outcome,
  { json, output }: MappingsApplyOptions,
): number {
  const revision = applied.at(-1)?.revision ?? plan.revision;
  if (json) {
    const failed = failure && {
      id: failure.id,
      code: failure.error.code,
      detail: failure.error.message,
    };
    output.out(`${JSON.stringify({ revision, applied, proposed, ...(failed && { failed }) })}\n`);
  } else if (failure === undefined) {
    output.out(
      plan.changes.length === 0 ? '' : `Applied ${applied.length} changes; revision ${revision}.\n`,
    );
  }
  if (proposed.length > 0 && !json) {
    output.out(`Waiting for a second administrator:\n${proposalLines(proposed)}`);
  }
  if (failure === undefined) return proposed.length === 0 ? exitCodes.ok : exitCodes.waiting;
  output.err(
    `${failure.id}: ${failure.error.message}\nStopped after ${applied.length + proposed.length} of ${plan.changes.length} changes. What was written stays; apply again for the rest.\n`,
  );
  return exitCodes.failed;
}

function proposalLines(proposed: readonly Proposed[]): string {
  return proposed.map(({ id, proposal }) => `  ${id}: ${proposal}\n`).join('');
}

/** One after the other: in the order of the plan, and nothing after a failure. */
async function writeAll(
  { changes }: SavedPlan,
  apply: ApplyChange,
  { terminal }: MappingsApplyOptions,
  { applied, proposed }: { readonly applied: Applied[]; readonly proposed: Proposed[] },
): Promise<Failure | undefined> {
  try {
    for (const [index, change] of changes.entries()) {
      const { id, action } = change;
      terminal.showProgress(`${index + 1} of ${changes.length}: ${id}`);
      try {
        const result = await apply(change);
        if (result.kind === 'proposed') {
          proposed.push({ id, proposal: `/v1/proposals/${result.proposal}` });
          continue;
        }
        const { version, revision } = result.written;
        applied.push({ id, action, version, revision });
      } catch (error) {
        if (error instanceof BrokerError) return { id, error };
        throw error;
      }
    }
    return undefined;
  } finally {
    terminal.showProgress('');
  }
}
