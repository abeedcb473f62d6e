/** `cloudtrail check`: did anybody assume the roles of the brokers without them, and is what they say true? */

import { findRecords } from '../audit/find.ts';
import { findLogs, type LogFolder } from '../audit/log-folders.ts';
import { type Verification, verifyAuditLog } from '../audit/verify.ts';
import { SessionLedger } from '../cloudtrail/session-ledger.ts';
import { TrailCheck } from '../cloudtrail/trail-check.ts';
import { readTrailFile, TrailFileError, trailFileNames } from '../cloudtrail/trail-files.ts';
import { asciiJson } from '../kit/json/ascii-json.ts';
import { exitCodes, type Output } from './output.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';
import { unreadableLog } from './unreadable-log.ts';

export interface CloudTrailCheckOptions {
  readonly audit: readonly string[];
  readonly trail: readonly string[];
  /** Managed roles that these logs do not name. */
  readonly role: readonly string[];
  /** RFC 3339: when the logs were copied. Default: the time of the newest record. */
  readonly auditUntil: string | undefined;
  readonly unused: boolean;
  readonly output: Output;
  readonly terminal: Terminal;
}

/** As `mappings plan` has it: 2 is an answer. */
const findings = 2;

/** What it cannot go on with. The message says what to do. */
class UncheckableError extends Error {
  override readonly name = 'UncheckableError';
}

/** Exit code: 0 nothing was found, 2 something was, 1 it could not be checked. */
export async function cloudTrailCheck(options: CloudTrailCheckOptions): Promise<number> {
  const { output, terminal } = options;
  try {
    const ledger = await readLedger(options);
    return await checkTrail(options, ledger);
  } catch (error) {
    output.err(`${printable(messageOf(error))}\n`);
    return exitCodes.failed;
  } finally {
    terminal.showProgress('');
  }
}

function messageOf(error: unknown): string {
  if (error instanceof UncheckableError || error instanceof TrailFileError) return error.message;
  return unreadableLog(error);
}

async function readLedger({
  audit,
  role,
  terminal,
}: CloudTrailCheckOptions): Promise<SessionLedger> {
  const logs = await findLogs(audit);
  if (logs.length === 0)
    throw new UncheckableError(`There is no audit log in ${audit.join(', ')}.`);
  const ledger = new SessionLedger(role);
  for (const log of logs) {
    terminal.showProgress(`Verifying ${log.location} …`);
    await requireWhole(log);
    let records = 0;
    for await (const { record } of findRecords(log, {})) {
      ledger.take(record);
      records += 1;
      if (records % 10_000 === 0) terminal.showProgress(`${log.location}: ${records} records`);
    }
  }
  return ledger;
}

/** A finding by a log that somebody has changed is worth nothing. */
async function requireWhole({ location }: LogFolder): Promise<void> {
  const result = await verifyAuditLog({ location });
  if (result.records > 0 && isWhole(result)) return;
  throw new UncheckableError(
    `The audit log in ${location} is not what was written, or holds nothing: token-broker audit verify --directory ${location} says what.`,
  );
}

/** Earlier files may have been archived, and a broker may be writing its next line. */
function isWhole({ problems, problemCount, chains }: Verification): boolean {
  const [first] = chains;
  const harmless = problems.filter(
    ({ kind, file, line }) =>
      kind === 'incomplete' || (kind === 'missing' && file === first?.file && line === first.line),
  );
  return harmless.length === problemCount;
}

async function checkTrail(options: CloudTrailCheckOptions, ledger: SessionLedger): Promise<number> {
  const { output, terminal, unused } = options;
  const recordedUntil = untilOf(options.auditUntil) ?? ledger.extent.until;
  const counts: Record<string, number> = {};
  const print = (line: object) => output.out(`${asciiJson(JSON.stringify(line))}\n`);
  const check = new TrailCheck({
    ledger,
    recordedUntil,
    onFinding: (finding) => {
      counts[finding.class] = (counts[finding.class] ?? 0) + 1;
      print({ type: 'finding', ...finding });
    },
  });
  const names = (await Promise.all(options.trail.map(trailFileNames))).flat();
  for (const [index, name] of names.entries()) {
    terminal.showProgress(`${index + 1} of ${names.length} files of the trail: ${name}`);
    for (const record of (await readTrailFile(name)).records) check.take(record);
  }
  const summary = check.finish(unused);
  if (summary.events === 0) {
    throw new UncheckableError(
      `There is not a single event in ${options.trail.join(', ')}: name the folder that CloudTrail's files are below.`,
    );
  }
  print({
    type: 'summary',
    ...summary,
    managedRoles: ledger.managedRoles,
    recordedUntil: new Date(recordedUntil).toISOString(),
    findings: counts,
  });
  return Object.keys(counts).length === 0 ? exitCodes.ok : findings;
}

function untilOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const epochMs = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(epochMs)) return epochMs;
  throw new UncheckableError('Write --audit-until as RFC 3339, such as 2026-01-31T12:00:00Z.');
}
