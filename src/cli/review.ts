/** `review`: which role mappings has nobody used, and who has stopped using which? */

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beginningOf, findRecords } from '../audit/find.ts';
import { findLogs } from '../audit/log-folders.ts';
import { type CallerUsage, MappingUsage, type MappingUse } from '../audit/mapping-usage.ts';
import { CalledActions } from '../cloudtrail/called-actions.ts';
import { readTrail, trailFolder } from '../cloudtrail/trail-files.ts';
import type { WritingRules } from '../core/policy/mapping-check.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import { jsonLine } from '../kit/json/ascii-json.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { haveCommonText } from '../kit/text/common-text.ts';
import { toRfc3339 } from '../kit/timing/clock.ts';
import { mappingYaml } from '../mapping-files/mapping-yaml.ts';
import { refusalLines } from './admin/admin-command.ts';
import type { ProposedOff } from './admin/mappings/propose-off.ts';
import { duration } from './audit-search.ts';
import { faultReport } from './mapping-report.ts';
import { readMappingFolder } from './mapping-sources.ts';
import { exitCodes, type Output, refuse } from './output.ts';
import { printable, printableLines } from './printable.ts';
import { recordedSessions, UncheckableError } from './recorded-sessions.ts';
import { noAuditLog, noRecordIn, unreadableLog } from './unreadable-log.ts';

export interface ReviewOptions {
  readonly audit: readonly string[];
  /** Folder with the role mappings as files. */
  readonly mappings: string;
  /** Such as `90d`. */
  readonly unused: string;
  /** Folders with what CloudTrail has delivered; none: nothing is said of actions. */
  readonly trail: readonly string[];
  /** Folder for the change; it must not be there yet. */
  readonly write: string | undefined;
  /** Proposes to switch them off, one after the other; undefined: nothing is proposed. */
  readonly propose: ((unused: readonly RoleMapping[]) => AsyncIterable<ProposedOff>) | undefined;
  readonly json: boolean;
  readonly rules: WritingRules;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly output: Output;
}

type Verdict = 'used' | 'unused' | 'too_new' | 'not_in_force';

/** What a trail has of the sessions of a mapping. */
interface ActionsSeen {
  readonly called: readonly string[];
  /** Allowed by the session policy, and called by nobody under that name. */
  readonly notSeen: readonly string[];
}

interface Reviewed {
  readonly actions: ActionsSeen | undefined;
  readonly mapping: RoleMapping;
  readonly verdict: Verdict;
  readonly use: MappingUse | undefined;
  /** Those who got something by it, and have not for so long. */
  readonly gone: readonly CallerUsage[];
}

/** Exit code: 0 everything is in use, 2 something is not, 1 that cannot be told. */
export async function review(options: ReviewOptions): Promise<number> {
  const { output, json, write } = options;
  const age = duration(options.unused);
  if (Number.isNaN(age)) {
    return refuse(output, 'Write --unused as a number with h, d or w, such as 90d.');
  }
  const { mappings, faults } = readMappingFolder(options.mappings, options.rules);
  if (faults.length > 0) {
    output.err(faultReport(faults));
    return exitCodes.failed;
  }
  const since = options.now - age;
  let usage: MappingUsage | string;
  try {
    usage = await usageIn(options.audit, since);
  } catch (error) {
    return refuse(output, unreadableLog(error));
  }
  if (typeof usage === 'string') return refuse(output, usage);
  const counted = usage;
  const called = await calledOrWhyNot(options);
  if (typeof called === 'string') return refuse(output, called);
  const reviewed = mappings
    .map(({ mapping }) => ({
      ...judge(mapping, counted.of(mapping.id), since),
      actions: called && actionsSeen(mapping, called),
    }))
    .sort((a, b) => (a.mapping.id < b.mapping.id ? -1 : 1));
  output.out(reviewed.map(json ? asJson : asText).join(''));
  const unused = reviewed.filter(({ verdict }) => verdict === 'unused');
  if (!json) output.out(summary(unused, options));
  const notWritten = writeOrWhyNot(write, unused);
  if (notWritten !== undefined) return refuse(output, notWritten);
  const mappingsOf = unused.map(({ mapping }) => mapping);
  if (!(await proposeAll(mappingsOf, options))) return exitCodes.failed;
  return unused.length === 0 ? exitCodes.ok : exitCodes.found;
}

/** False if not all of them wait for a second administrator now. */
async function proposeAll(
  unused: readonly RoleMapping[],
  { propose, json, output }: ReviewOptions,
): Promise<boolean> {
  if (propose === undefined) return true;
  let isWhole = true;
  try {
    for await (const { mapping, proposal, why } of propose(unused)) {
      isWhole &&= proposal !== undefined;
      const text =
        proposal === undefined
          ? `Not proposed: ${mapping}: ${why}.`
          : `Waits for a second administrator: ${mapping}: /v1/proposals/${proposal}`;
      if (json) output.out(jsonLine({ mapping, proposal, why }));
      else output.out(`${printable(text)}\n`);
    }
    return isWhole;
  } catch (error) {
    output.err(printableLines(refusalLines(error)));
    return false;
  }
}

/** A text says why nothing can be called unused. */
async function usageIn(audit: readonly string[], since: number): Promise<MappingUsage | string> {
  const logs = await findLogs(audit);
  if (logs.length === 0) return noAuditLog(audit);
  const usage = new MappingUsage();
  let beginsAt = Number.POSITIVE_INFINITY;
  for (const log of logs) {
    beginsAt = Math.min(beginsAt, (await beginningOf(log)) ?? Number.POSITIVE_INFINITY);
    for await (const { record } of findRecords(log, {})) usage.take(record);
  }
  if (beginsAt === Number.POSITIVE_INFINITY) return noRecordIn(audit);
  if (beginsAt <= since) return usage;
  return `The logs begin at ${toRfc3339(beginsAt)}, after ${toRfc3339(since)}: what was used before that they cannot say. Add archived logs, or ask for less.`;
}

/** A text says why it is not known. */
async function calledOrWhyNot(options: ReviewOptions) {
  try {
    return await calledIn(options);
  } catch (error) {
    if (error instanceof UncheckableError) return error.message;
    return `The trail cannot be read: ${(error as Error).message}`;
  }
}

/** Undefined without a trail. @throws UncheckableError, or the error of the file system */
async function calledIn({ audit, trail }: ReviewOptions): Promise<CalledActions | undefined> {
  if (trail.length === 0) return undefined;
  const terminal = { showProgress: () => undefined };
  const { ledger } = await recordedSessions({ audit, roles: [], terminal });
  const called = new CalledActions(ledger);
  for (const place of trail.map(trailFolder)) {
    for await (const { parts } of readTrail(place, place.names())) {
      for (const part of parts) {
        // What it holds may be the one call of an action.
        if (!('record' in part)) throw new UncheckableError(`${part.file} ${part.why}.`);
        called.take(part.record);
      }
    }
  }
  return called;
}

function actionsSeen(mapping: RoleMapping, all: CalledActions): ActionsSeen {
  const called = all.of(mapping.id);
  const names = called.map((action) => action.toLowerCase());
  const notSeen = allowedActions(mapping.session.policy).filter(
    (action) => !names.some((name) => haveCommonText(action.toLowerCase(), name)),
  );
  return { called, notSeen };
}

/** Those that the statements of a session policy allow by name or pattern; none without one. */
function allowedActions(policy: unknown): readonly string[] {
  const given = isJsonObject(policy) ? policy['Statement'] : [];
  const actions = [given].flat().flatMap((statement) => {
    if (!isJsonObject(statement) || statement['Effect'] !== 'Allow') return [];
    return [statement['Action']].flat();
  });
  return [...new Set(actions.filter((action) => typeof action === 'string'))];
}

function judge(
  mapping: RoleMapping,
  use: MappingUse | undefined,
  since: number,
): Omit<Reviewed, 'actions'> {
  const isOld = (time: string | undefined) => time === undefined || Date.parse(time) < since;
  const gone = (use?.callers ?? []).filter(({ last }) => last !== undefined && isOld(last));
  return { mapping, verdict: verdictOf(mapping, use, isOld), use, gone };
}

function verdictOf(
  { effect, enabled }: RoleMapping,
  use: MappingUse | undefined,
  isOld: (time: string | undefined) => boolean,
): Verdict {
  // A deny is there so that nothing happens.
  if (effect === 'deny' || !enabled) return 'not_in_force';
  if (!isOld(use?.last)) return 'used';
  return isOld(use?.edited) ? 'unused' : 'too_new';
}

function asJson({ mapping, verdict, use, gone, actions }: Reviewed): string {
  const { id, owner, role, principal } = mapping;
  const none = { issued: 0, refused: 0, callers: [] };
  const line = { mapping: id, verdict, owner, role, principal, ...(use ?? none), gone, actions };
  return jsonLine(line);
}

function asText({ mapping, verdict, use, gone, actions }: Reviewed): string {
  if (verdict === 'not_in_force') return '';
  const { id, owner, role } = mapping;
  const lines = [
    `${verdict.padEnd(8)} ${id}  (owner ${owner}, role ${role})`,
    `         ${usageText(use)}`,
    ...gone.map(
      (caller) =>
        `         no longer: ${caller.subject ?? '-'} of client ${caller.clientId ?? '-'}, ${usageText(caller)}`,
    ),
  ];
  if (actions !== undefined) {
    lines.push(`         called: ${actions.called.join(', ') || 'nothing that the trail has'}`);
    if (actions.notSeen.length > 0)
      lines.push(`         allowed, and not in the trail: ${actions.notSeen.join(', ')}`);
  }
  return printableLines(lines);
}

function usageText(
  use: Pick<MappingUse, 'issued' | 'refused' | 'first' | 'last'> | undefined,
): string {
  if (use?.last === undefined) return `never issued, refused ${use?.refused ?? 0} times`;
  return `issued ${use.issued} times, first ${use.first}, last ${use.last}; refused ${use.refused} times`;
}

function summary(
  unused: readonly Reviewed[],
  { unused: age, write, propose }: ReviewOptions,
): string {
  if (unused.length === 0) return `Every role mapping in force was used within ${age}.\n`;
  const ids = unused.map(({ mapping }) => mapping.id).join(', ');
  const without =
    propose === undefined
      ? '--write <dir> writes them with "enabled: false", --propose asks a second administrator to switch them off.'
      : '';
  const where =
    write === undefined
      ? without
      : `In ${write} they have "enabled: false": token-broker mappings plan shows what that changes.`;
  return printable(`To remove, not used within ${age}: ${ids}. ${where}`.trimEnd()).concat('\n');
}

/** A text says why not all of it is there. */
function writeOrWhyNot(directory: string | undefined, unused: readonly Reviewed[]) {
  if (directory === undefined || unused.length === 0) return undefined;
  try {
    writeChange(directory, unused);
    return undefined;
  } catch (error) {
    return `Nothing was written, or not all of it: ${(error as Error).message}`;
  }
}

/** Switched off, and not deleted: whoever misses one has it back with a word. */
function writeChange(directory: string, unused: readonly Reviewed[]): void {
  mkdirSync(directory);
  for (const { mapping } of unused) {
    const text = mappingYaml({ ...mapping, enabled: false });
    writeFileSync(path.join(directory, `${mapping.id}.yaml`), text, { flag: 'wx' });
  }
}
