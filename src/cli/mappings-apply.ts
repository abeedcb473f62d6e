/** `mappings apply`: makes the table say what the files, or a plan saved earlier, say. */

import { TokenBrokerError } from '../client/broker-client.ts';
import type { Config } from '../config/schema.ts';
import { isChangeReason } from '../core/editing/change-facts.ts';
import { BrokerError } from '../core/errors.ts';
import type { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { readGivenFileSync } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import { jsonLine } from '../kit/json/ascii-json.ts';
import type { PlannedChange, PlanScope } from '../mapping-files/mapping-plan.ts';
import {
  misrepresented,
  parsePlan,
  repeated,
  type SavedPlan,
} from '../mapping-files/saved-plan.ts';
import {
  type AppliedChange,
  type ApplyChanges,
  type ApplyEditorOptions,
  applyAuditDirectory,
  withApplyEditor,
} from './apply-editor.ts';
import { groupsOf } from './apply-group.ts';
import type { HandEditsById } from './mapping-histories.ts';
import { makePlan } from './mapping-planning.ts';
import {
  changeCounts,
  faultReport,
  planReport,
  tableTitle,
  warningReport,
} from './mapping-report.ts';
import { contentsOf, loadWithProgress, tableNameOf, withMappingTable } from './mapping-table.ts';
import { exitCodes, type Output, refuse } from './output.ts';
import { printable, printableLines } from './printable.ts';
import { saysYes, type Terminal } from './terminal.ts';

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
  /** Instead of the file: the token itself. */
  readonly token?: string | undefined;
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
  if (!isChangeReason(reason)) {
    return refuse(output, 'Give a --reason of 1 to 500 printable characters.', exitCodes.usage);
  }
  if (!yes && terminal.ask === undefined) {
    return refuse(output, 'Nobody is here to confirm the plan: add --yes.', exitCodes.usage);
  }
  const auditDirectory = applyAuditDirectory(config, options.auditDirectory);
  if (auditDirectory === undefined) {
    return refuse(
      output,
      'The configuration has no audit.directory: say with --audit-directory where the record of the changes goes.',
      exitCodes.usage,
    );
  }
  return await withMappingTable(config, async (table, seal) => {
    const obtained = await obtainPlan(options, table);
    if (typeof obtained === 'string') return refuse(output, obtained);
    const { plan, handEdits } = obtained;
    if (!options.json) output.out(planReport(plan, handEdits));
    const obstacle = await obstacleTo(plan, table, options);
    if (obstacle !== undefined) return refuse(output, obstacle);
    return await applyPlan(plan, { ...options, auditDirectory, store: table, seal });
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
    options.output.err(`${printable(error.message)}\nNothing was written.\n`);
    return exitCodes.failed;
  }
}

/** Why a plan that is there is not carried out. */
async function obstacleTo(
  plan: SavedPlan,
  table: RoleMappingTable,
  { yes, terminal }: MappingsApplyOptions,
): Promise<string | undefined> {
  const what = `Make ${plan.changes.length} changes in table ${tableTitle(plan.table)}`;
  if (plan.changes.length > 0 && !yes && !(await saysYes(terminal, what))) {
    return 'Not confirmed: nothing was written.';
  }
  const revision = await table.head();
  return revision === plan.revision
    ? undefined
    : `The table is at revision ${revision}, and the plan was made against ${plan.revision}: nothing was written. Plan again.`;
}

interface ObtainedPlan {
  readonly plan: SavedPlan;
  /** Where it was made just now. */
  readonly handEdits?: HandEditsById;
}

/** A text says why there is none. */
async function obtainPlan(
  options: MappingsApplyOptions,
  table: RoleMappingTable,
): Promise<ObtainedPlan | string> {
  const { from, output } = options;
  if (from.kind === 'plan') {
    const plan = await readSoundPlan(from.file, options, table);
    return typeof plan === 'string' ? plan : { plan };
  }
  const result = await makePlan({ ...options, directory: from.directory, table });
  if (result.kind === 'refused') {
    output.err(faultReport(result.faults));
    return 'Nothing was written.';
  }
  output.err(warningReport(result.warnings));
  return result;
}

/** A plan that was altered on its way could show one thing and do another (T108). */
async function readSoundPlan(
  file: string,
  { config, scope, terminal }: MappingsApplyOptions,
  table: RoleMappingTable,
): Promise<SavedPlan | string> {
  const plan = readPlan(file, config, scope);
  if (typeof plan === 'string') return plan;
  const contents = contentsOf(await loadWithProgress(table, terminal));
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
    return `${file} cannot be read (${errorCodeOf(error)}).`;
  }
  if (plan === undefined) return `${file} is not a plan that this version has saved.`;
  const [planned, configured] = [tableTitle(plan.table), tableTitle(tableNameOf(config))];
  if (planned !== configured) {
    return `The plan is for the table ${planned}, and the configuration names ${configured}.`;
  }
  const twice = repeated(plan);
  if (twice.length > 0) {
    return `The plan changes ${twice.slice(0, 5).join(', ')} more than once, as no plan does that this command has saved. It was altered: nothing was written. Plan again.`;
  }
  const deletions = changeCounts(plan).delete;
  return deletions > 0 && !prune
    ? `The plan deletes role mappings (${deletions}): add --prune if that is meant.`
    : plan;
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
  /** Ids of those after it that were sent with it, where nobody knows what became of them. */
  readonly alsoUnknown: readonly string[];
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
  apply: ApplyChanges,
  options: MappingsApplyOptions,
): Promise<number> {
  const done: Done = { applied: [], proposed: [] };
  const failure = await writeAll(plan, apply, options, done);
  return report(plan, { ...done, failure }, options);
}

function report(plan: SavedPlan, outcome: Outcome, options: MappingsApplyOptions): number {
  const { json, output } = options;
  const { proposed, failure } = outcome;
  output.out(json ? jsonLine(jsonReport(plan, outcome)) : textReport(plan, outcome));
  if (failure === undefined) return proposed.length === 0 ? exitCodes.ok : exitCodes.waiting;
  output.err(failureReport(plan, outcome, failure));
  return exitCodes.failed;
}

function jsonReport(plan: SavedPlan, { applied, proposed, failure }: Outcome): object {
  const revision = revisionAfter(plan, applied);
  if (failure === undefined) return { revision, applied, proposed };
  const { id, error, alsoUnknown } = failure;
  const failed = { id, code: error.code, detail: error.message };
  return {
    ...{ revision, applied, proposed },
    failed: alsoUnknown.length === 0 ? failed : { ...failed, alsoUnknown },
  };
}

function textReport(plan: SavedPlan, { applied, proposed, failure }: Outcome): string {
  const isDone = failure === undefined && plan.changes.length > 0;
  const done = `Applied ${applied.length} changes; revision ${revisionAfter(plan, applied)}.\n`;
  const waiting = `Waiting for a second administrator:\n${proposalLines(proposed)}`;
  return `${isDone ? done : ''}${proposed.length > 0 ? waiting : ''}`;
}

function revisionAfter(plan: SavedPlan, applied: readonly Applied[]): number {
  return applied.at(-1)?.revision ?? plan.revision;
}

function failureReport(
  { changes }: SavedPlan,
  { applied, proposed }: Outcome,
  failure: Failure,
): string {
  const { id, error, alsoUnknown } = failure;
  const others =
    alsoUnknown.length === 0
      ? ''
      : `The same is true of ${alsoUnknown.length} more, ${alsoUnknown[0]} to ${alsoUnknown.at(-1)}: all of them were made, or none.\n`;
  const done = applied.length + proposed.length;
  return `${printable(`${id}: ${error.message}`)}\n${others}Stopped after ${done} of ${changes.length} changes. What was written stays; apply again for the rest.\n`;
}

function proposalLines(proposed: readonly Proposed[]): string {
  return printableLines(proposed.map(({ id, proposal }) => `  ${id}: ${proposal}`));
}

interface Done {
  readonly applied: Applied[];
  readonly proposed: Proposed[];
}

/** In the order of the plan, several at once where nothing is to be decided between them, and nothing after a failure. */
async function writeAll(
  { changes }: SavedPlan,
  apply: ApplyChanges,
  { terminal }: MappingsApplyOptions,
  done: Done,
): Promise<Failure | undefined> {
  let begun = 0;
  try {
    for (const group of groupsOf(changes, () => apply.atMost())) {
      begun += group.length;
      terminal.showProgress(`${begun} of ${changes.length}: ${group.at(-1)?.id ?? ''}`);
      const failure = takeOutcomes(group, await apply.make(group), done);
      if (failure !== undefined) return failure;
    }
    return undefined;
  } finally {
    terminal.showProgress('');
  }
}

/** Up to the first that was not made. @throws what is no BrokerError */
function takeOutcomes(
  group: readonly PlannedChange[],
  outcomes: readonly PromiseSettledResult<AppliedChange>[],
  done: Done,
): Failure | undefined {
  for (const [index, change] of group.entries()) {
    const outcome = outcomes[index];
    if (outcome?.status !== 'fulfilled') {
      const later = group.slice(index + 1).filter((_, at) => isUnknown(outcomes[index + 1 + at]));
      return failureOf(change, outcome?.reason, later);
    }
    take(change, outcome.value, done);
  }
  return undefined;
}

function isUnknown(outcome: PromiseSettledResult<unknown> | undefined): boolean {
  if (outcome?.status !== 'rejected') return false;
  return outcome.reason instanceof BrokerError && outcome.reason.reason === 'outcome_unknown';
}

function failureOf(
  { id }: PlannedChange,
  error: unknown,
  unknown: readonly PlannedChange[],
): Failure {
  if (!(error instanceof BrokerError)) throw error;
  return { id, error, alsoUnknown: unknown.map((other) => other.id) };
}

function take({ id, action }: PlannedChange, change: AppliedChange, { applied, proposed }: Done) {
  if (change.kind === 'proposed') {
    proposed.push({ id, proposal: `/v1/proposals/${change.proposal}` });
  } else if (change.kind === 'written') {
    const { version, revision } = change.written;
    applied.push({ id, action, version, revision });
  }
}
