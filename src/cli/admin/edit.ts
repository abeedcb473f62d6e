/**
 * What every edit by the API goes through: why it is made, a dry run, what it would do, and somebody who agrees. What was
 * looked at is what is done: the precondition of the dry run is that of the edit.
 */

import type { Command } from 'commander';
import { isChangeReason } from '../../core/editing/change-facts.ts';
import { leafChanges } from '../../core/policy/leaf-changes.ts';
import { type DocumentChange, documentChanges } from '../../kit/json/document-changes.ts';
import { changeLines } from '../change-lines.ts';
import { exitCodes } from '../output.ts';
import { noPaint, type Paint } from '../paint.ts';
import { inLines, printable, printableJson } from '../printable.ts';
import { saysYes } from '../terminal.ts';
import { editResult, type ReadEdit } from './admin-answers.ts';
import type { AdminApiRequest } from './admin-api.ts';
import { type AdminQuestion, type AdminResult, UsageError } from './admin-command.ts';

export interface EditOptions {
  readonly reason: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function addEditOptions(command: Command): Command {
  return command
    .requiredOption('--reason <text>', 'why: kept in the history')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--yes', 'do not ask');
}

/** Of every edit. */
export const editExitCodes = '0 done; 3 it waits for a second administrator;';

export interface Edit extends Omit<AdminApiRequest<unknown>, 'answer'> {
  /** Such as `Undo orders-writer`. */
  readonly what: string;
}

/** @throws AdminApiError, UsageError */
export async function carryOut(
  edit: Edit,
  { api, options, terminal, note }: AdminQuestion<EditOptions>,
): Promise<AdminResult> {
  const { dryRun = false, yes = false } = options;
  const reason = reasonHeader(options);
  if (!(dryRun || yes) && terminal.ask === undefined) {
    throw new UsageError('Nobody is here to agree: look with --dry-run, then add --yes.');
  }
  const { what, ...request } = edit;
  const headers = { ...request.headers, ...reason };
  const ask = (query: Readonly<Record<string, string>>) =>
    api.ask({ ...request, headers, query: { ...request.query, ...query }, answer: editResult });
  // Nobody looks at a preview whose answer is given: in an emergency it would be one request too many.
  if (dryRun || !yes) {
    const preview = await ask({ dryRun: 'true' });
    if (dryRun) return editAnswered(preview.document, preview.answer);
    for (const line of editLines(preview.answer, noPaint)) note(line);
    if (!(await isAgreed(what, { terminal, note }))) {
      return { document: preview.document, text: () => '', code: exitCodes.failed };
    }
  }
  const done = await ask({});
  return editAnswered(done.document, done.answer);
}

/** As a query has an option that is there or not. */
export function flag(option: boolean | undefined): 'true' | undefined {
  return option === true ? 'true' : undefined;
}

/** @throws UsageError */
export function reasonHeader(options: { readonly reason: string }) {
  // Header fields are bytes: UTF-8 here, as everywhere.
  return { 'change-reason': Buffer.from(reasonOf(options), 'utf8').toString('latin1') };
}

/** @throws UsageError */
export function reasonOf({ reason }: { readonly reason: string }): string {
  if (isChangeReason(reason.trim())) return reason.trim();
  throw new UsageError('Give a --reason of 1 to 500 printable characters.');
}

/** Whether whoever sits there says yes to what was shown. */
export async function isAgreed(
  what: string,
  { terminal, note }: Pick<AdminQuestion<object>, 'terminal' | 'note'>,
): Promise<boolean> {
  if (await saysYes(terminal, what)) return true;
  note('Not agreed: nothing was done.');
  return false;
}

export function editAnswered(document: unknown, answer: ReadEdit): AdminResult {
  return {
    document,
    text: (paint) => inLines(editLines(answer, paint)),
    code: isWaiting(answer) ? exitCodes.waiting : undefined,
  };
}

function isWaiting({ proposal, version }: ReadEdit): boolean {
  return proposal !== undefined && version === undefined;
}

const doneWords: Readonly<Record<string, string>> = {
  create: 'created',
  replace: 'replaced',
  delete: 'deleted',
};

function editLines(edit: ReadEdit, paint: Paint): readonly string[] {
  const { id, dryRun, inForce, changes, warnings } = edit;
  return [
    paint.title(printable(`${id} ${doneText(edit)}`)),
    ...changeLines(changes.flatMap(leaves), paint).map((line) => `  ${line}`),
    ...warnings.map(({ pointer, detail }) => printable(`  warning: ${pointer} ${detail}`)),
    ...takenAwayLines(edit),
    ...waitingLines(edit),
    ...(inForce === false && !dryRun
      ? ['  The instance that answered does not decide by it yet; it will within seconds.']
      : []),
  ];
}

function doneText({ action, dryRun, version, unchanged, changes }: ReadEdit): string {
  if (unchanged) return `says that already, in version ${version}: nothing was written`;
  if (dryRun && changes.length === 0) return 'says that already: nothing would be written';
  const word = doneWords[action] ?? action;
  return version === undefined || dryRun ? `would be ${word}` : `is ${word}, version ${version}`;
}

function waitingLines(edit: ReadEdit): readonly string[] {
  const id = edit.proposal?.id;
  if (isWaiting(edit)) {
    return [
      printable(`  It waits for a second administrator: /v1/proposals/${id}`),
      printable(`  who reads it by token-broker proposals show ${id}`),
    ];
  }
  return edit.needsApproval ? ['  It would wait for a second administrator.'] : [];
}

function takenAwayLines({ takesAway, revokeSessions, dryRun }: ReadEdit): readonly string[] {
  const lines: string[] = [];
  if (takesAway !== null && takesAway !== undefined) {
    const { mappings, roles } = takesAway;
    lines.push(`  takes away ${roles} roles of ${mappings} role mappings`);
  }
  if (revokeSessions !== undefined && !dryRun) {
    const { role, policy } = revokeSessions;
    const whose = role === '*' ? 'each role concerned' : role;
    lines.push(
      printable(`  Sessions that exist go on until they end. To end them, attach to ${whose}:`),
    );
    lines.push(`  ${printableJson(policy)}`);
  }
  return lines;
}

/** The API compares lists as a whole. */
function leaves({
  pointer,
  before,
  after,
}: ReadEdit['changes'][number]): readonly DocumentChange[] {
  const at = pointer as DocumentChange['pointer'];
  return pointer === ''
    ? documentChanges(before ?? {}, after ?? {})
    : leafChanges(before, after, at);
}
