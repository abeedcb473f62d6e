/** What the logs of all brokers say of their sessions, as far as nobody has changed them. */

import { findRecords } from '../audit/find.ts';
import { lineTime } from '../audit/line-time.ts';
import { findLogs, type LogFolder } from '../audit/log-folders.ts';
import type { LoggedRecord } from '../audit/logged-record.ts';
import { type Verification, verifyAuditLog } from '../audit/verify.ts';
import { SessionLedger } from '../cloudtrail/session-ledger.ts';
import { faultLine } from '../kit/yaml/source-fault.ts';
import type { Terminal } from './terminal.ts';
import { noAuditLog, unreadableLog } from './unreadable-log.ts';

/** What no verdict can be built on. The message says what to do. */
export class UncheckableError extends Error {
  override readonly name = 'UncheckableError';
}

export interface RecordedSessions {
  readonly ledger: SessionLedger;
  /** The records again, in the order in which the ledger has taken them. */
  records(): AsyncGenerator<LoggedRecord>;
}

export interface RecordedSessionsOptions {
  readonly audit: readonly string[];
  /** Managed roles that these logs do not name. */
  readonly roles: readonly string[];
  /** Folder with role mappings as files, whose roles are managed as well: no log names one that nobody has used. */
  readonly mappings?: string | undefined;
  readonly terminal: Pick<Terminal, 'showProgress'>;
}

/**
 * What is verified is what is taken in: a log is read once. A finding by one that somebody has changed is worth nothing.
 *
 * @throws UncheckableError
 */
export async function recordedSessions(
  options: RecordedSessionsOptions,
): Promise<RecordedSessions> {
  const { audit, roles, terminal } = options;
  try {
    const logs = await findLogs(audit);
    if (logs.length === 0) throw new UncheckableError(noAuditLog(audit));
    const ledger = new SessionLedger([...roles, ...(await mappedRoles(options.mappings))]);
    for (const log of logs) await takeIn(log, ledger, terminal);
    if (!Number.isFinite(ledger.extent.until))
      throw new UncheckableError(
        `No record in ${audit.join(', ')} says when it was written: these are no logs of a broker.`,
      );
    return { ledger, records: () => recordsOf(logs) };
  } catch (error) {
    throw error instanceof UncheckableError ? error : new UncheckableError(unreadableLog(error));
  }
}

/** @throws UncheckableError */
async function mappedRoles(folder: string | undefined): Promise<readonly string[]> {
  if (folder === undefined) return [];
  // YAML: nothing that a check without it needs.
  const { folderRoles } = await import('../mapping-files/folder-roles.ts');
  const { roles, faults } = folderRoles(folder);
  if (faults[0] === undefined) return roles;
  throw new UncheckableError(`The role mappings cannot be read: ${faultLine(faults[0])}`);
}

async function* recordsOf(logs: readonly LogFolder[]): AsyncGenerator<LoggedRecord> {
  for (const log of logs) for await (const { record } of findRecords(log, {})) yield record;
}

async function takeIn(
  { location }: LogFolder,
  ledger: SessionLedger,
  terminal: RecordedSessionsOptions['terminal'],
): Promise<void> {
  let records = 0;
  const result = await verifyAuditLog({
    location,
    onRecord(line) {
      ledger.takeLine(line, lineTime(line));
      records += 1;
      if (records % 10_000 === 0) terminal.showProgress(`${location}: ${records} records`);
    },
  });
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
