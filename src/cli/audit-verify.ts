/** `audit verify`: is the audit log as it was written, and if not, where does that end? */

import type { CutOff, Problem } from '../audit/chain-verifier.ts';
import {
  CheckpointFileError,
  type GivenCheckpoint,
  readCheckpoints,
} from '../audit/checkpoints/given-checkpoints.ts';
import type { LateBatch } from '../audit/late-batches.ts';
import { findLogs } from '../audit/log-folders.ts';
import { type Verification, verifyAuditLog } from '../audit/verify.ts';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { jsonLine } from '../kit/json/ascii-json.ts';
import { exitCodes } from './output.ts';
import { printable } from './printable.ts';
import { noAuditLog, noRecordIn, unreadableLog } from './unreadable-log.ts';

export interface AuditVerifyOptions {
  /** Audit directories, folders of them, or files: what a collector kept of standard output. */
  readonly directory: readonly string[];
  /** Hash of a record that must be there: one noted earlier, to find an end that was cut off. */
  readonly expectHead?: string;
  /** Number of the first record, if earlier files were archived. */
  readonly firstSeq?: number;
  /** A checkpoint, or a folder with files of them (`checkpoint-….txt`). */
  readonly checkpoint?: string;
  /** PEM file with the public key that they are signed by. */
  readonly key?: string;
  /** What a collector kept of standard output: each process begins a chain of its own. */
  readonly collected?: boolean;
  readonly json: boolean;
  readonly out: (text: string) => void;
}

/** Exit code: 0 intact, 1 broken, 2 unreadable or wrong usage. */
export async function auditVerify(options: AuditVerifyOptions): Promise<number> {
  const { json, out } = options;
  const unusable = (error: string): number => {
    out(json ? jsonLine({ error }) : `${printable(error)}\n`);
    return exitCodes.usage;
  };
  if (options.expectHead !== undefined && !/^[0-9a-f]{64}$/.test(options.expectHead)) {
    return unusable('The expected head must be 64 lower-case hexadecimal digits.');
  }
  const given = await readGivenCheckpoints(options);
  if (typeof given === 'string') return unusable(given);
  let results: readonly VerifiedLog[] | string;
  try {
    results = await verifyEach(options, given);
  } catch (error) {
    return unusable(unreadableLog(error));
  }
  if (typeof results === 'string') return unusable(results);
  const elsewhere = inNone(given, results);
  const broken = elsewhere.length > 0 || results.some(({ intact }) => !intact);
  // A broker that has started has written one: nothing is known of a log that holds nothing.
  const empty = results.filter(({ intact, records }) => intact && records === 0);
  if (!broken && empty.length > 0) {
    return unusable(noRecordIn(empty.map(({ log }) => log)));
  }
  const evidence = { headGiven: options.expectHead !== undefined, given, elsewhere };
  out(json ? asJson(results, elsewhere) : asText(results, evidence));
  return broken ? exitCodes.failed : exitCodes.ok;
}

interface VerifiedLog extends Verification {
  /** The folder or file. */
  readonly log: string;
}

async function verifyEach(
  { directory, expectHead, firstSeq, collected }: AuditVerifyOptions,
  given: readonly GivenCheckpoint[],
): Promise<readonly VerifiedLog[] | string> {
  const logs = await findLogs(directory);
  if (logs.length === 0) return noAuditLog(directory);
  const oneOfSeveral = logs.length > 1;
  if (oneOfSeveral && (expectHead !== undefined || firstSeq !== undefined)) {
    return '--expect-head and --first-seq are of one log, and there are several here: name its folder.';
  }
  const checkpoints = given.map(({ checkpoint }) => checkpoint);
  const chainsOf = { expectHead, firstSeq, separateChains: collected, checkpoints, oneOfSeveral };
  const results: VerifiedLog[] = [];
  for (const { location } of logs) {
    results.push({ log: location, ...(await verifyAuditLog({ location, ...chainsOf })) });
  }
  return results;
}

/** Checkpoints of chains that no log has. One log alone has been held against all of them. */
function inNone(
  given: readonly GivenCheckpoint[],
  results: readonly VerifiedLog[],
): readonly GivenCheckpoint[] {
  if (results.length === 1) return [];
  const chains = new Set(results.flatMap((result) => result.chains.map(({ chain }) => chain)));
  return given.filter(({ checkpoint }) => !chains.has(checkpoint.chain));
}

/** What cannot be checked against is no evidence for anything: it is an error, not a finding. */
async function readGivenCheckpoints({
  checkpoint,
  key,
}: AuditVerifyOptions): Promise<readonly GivenCheckpoint[] | string> {
  if (checkpoint === undefined && key === undefined) return [];
  if (checkpoint === undefined || key === undefined) {
    return '--checkpoint and --key belong together: a checkpoint says nothing without the key that signed it.';
  }
  try {
    return await readCheckpoints(checkpoint, key);
  } catch (error) {
    if (error instanceof CheckpointFileError) return error.message;
    return `The checkpoint or the key cannot be read: ${errorCodeOf(error)}`;
  }
}

interface Evidence {
  readonly headGiven: boolean;
  readonly given: readonly GivenCheckpoint[];
  readonly elsewhere: readonly GivenCheckpoint[];
}

/** One object a line, one line a log. */
function asJson(results: readonly VerifiedLog[], elsewhere: readonly GivenCheckpoint[]): string {
  const gone = elsewhere.map((checkpoint) => ({ intact: false, problem: lacking(checkpoint) }));
  return [...results, ...gone].map(jsonLine).join('');
}

function asText(results: readonly VerifiedLog[], evidence: Evidence): string {
  const { headGiven, given, elsewhere } = evidence;
  const [alone, ...others] = results;
  const lines =
    alone !== undefined && others.length === 0
      ? report(alone, given)
      : results.flatMap((result) => [`${result.log}:`, ...report(result, given), '']);
  lines.push(...elsewhere.map((checkpoint) => `missing: ${lacking(checkpoint)}`));
  if (others.length > 0) lines.push(total(results));
  if (!headGiven && given.length === 0 && results.every(({ intact }) => intact)) {
    lines.push(
      'Whole records cut off at the end, or everything from some record on sealed anew, show only against a',
      'checkpoint (--checkpoint), or a head that was noted elsewhere (--expect-head).',
    );
  }
  return `${lines.map(printable).join('\n')}\n`;
}

function lacking({ file, checkpoint: { chain, size } }: GivenCheckpoint): string {
  return `checkpoint ${file} was signed for the first ${count(size, 'record')} of chain ${chain}, and no log here has any of them`;
}

function total(results: readonly VerifiedLog[]): string {
  const broken = results.filter(({ intact }) => !intact).length;
  const records = results.reduce((sum, result) => sum + result.records, 0);
  const files = results.reduce((sum, result) => sum + result.files.length, 0);
  const what = `${count(records, 'record')} in ${count(files, 'file')} of ${count(results.length, 'log')}`;
  return broken === 0
    ? `All intact: ${what}`
    : `BROKEN: ${broken} of ${results.length} logs; ${what} are in their place`;
}

function report(result: Verification, given: readonly GivenCheckpoint[]): string[] {
  const { chains, head, problems, problemCount, cutOff, late } = result;
  const lines = [summary(result)];
  for (const { chain, file, line, firstSeq, lastSeq } of chains) {
    lines.push(`chain ${chain}: records ${firstSeq} to ${lastSeq}, from ${file} line ${line}`);
  }
  if (head !== undefined) lines.push(`head  ${head.hash} (record ${head.seq})`);
  for (const { file, checkpoint } of given) {
    if (!chains.some(({ chain }) => chain === checkpoint.chain)) continue;
    lines.push(
      `checkpoint ${file}: the first ${count(checkpoint.size, 'record')} of chain ${checkpoint.chain}`,
    );
  }
  lines.push(...cutOff.map(describeCutOff), ...late.map(describeLate), ...problems.map(describe));
  if (problemCount > problems.length) {
    lines.push(`… and ${problemCount - problems.length} more`);
  }
  lines.push(...advice(result));
  return lines;
}

function summary({ intact, lines, records, files, problemCount }: Verification): string {
  const where = `in ${count(files.length, 'file')}`;
  if (intact) return `Intact: ${count(records, 'record')} ${where}`;
  const inPlace = records === lines ? 'all' : String(records);
  return `BROKEN: ${count(problemCount, 'problem')}; ${count(lines, 'line')} ${where}, ${inPlace} of them records in their place`;
}

function* advice({ problems, chains }: Verification): Generator<string> {
  const [first] = problems;
  if (first?.kind === 'missing' && chains[0]?.line === first.line) {
    yield 'If earlier files were archived, verify them together with these, or say with --first-seq which';
    yield 'record this log begins with.';
  }
  if (problems.some(({ kind }) => kind === 'new_chain')) {
    yield 'If this is what a collector kept of standard output, where each process begins a chain: --collected.';
  }
  if (problems.some(({ kind }) => kind === 'incomplete')) {
    yield 'If a broker writes to this log right now, verify again: the line may have been on its way.';
  }
}

function describeCutOff({ file, line, bytes, keptIn }: CutOff): string {
  return `note: ${file} line ${line}: the end of the log was incomplete here and was cut off (${count(bytes, 'byte')}, kept in ${keptIn}): a crash, or somebody who shortened the file`;
}

function describeLate({ file, bytes, records }: LateBatch): string {
  return `note: ${file}: behind its end stands what a process wrote after another one had taken the log over (${count(records, 'record')}, ${count(bytes, 'byte')}): nobody was told that it was kept, and it is no part of the log`;
}

function describe({ kind, file, line, seq, detail }: Problem): string {
  const name = seq === undefined ? 'the line' : `record ${seq}`;
  return `${kind}: ${file} line ${line}: ${name} ${detail}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
