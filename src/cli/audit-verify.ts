/** `audit verify`: is the audit log as it was written, and if not, where does that end? */

import { errorCodeOf } from '../audit/audit-sink.ts';
import type { CutOff, Problem } from '../audit/chain-verifier.ts';
import {
  CheckpointFileError,
  type GivenCheckpoint,
  readCheckpoints,
} from '../audit/checkpoints/given-checkpoints.ts';
import { type Verification, verifyAuditLog } from '../audit/verify.ts';
import { exitCodes } from './output.ts';
import { printable } from './printable.ts';

export interface AuditVerifyOptions {
  /** An audit directory, or one file: what a collector kept of standard output. */
  readonly directory: string;
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
  const { directory, expectHead, firstSeq, collected, json, out } = options;
  const unusable = (error: string): number => {
    out(json ? `${JSON.stringify({ error })}\n` : `${error}\n`);
    return exitCodes.usage;
  };
  if (expectHead !== undefined && !/^[0-9a-f]{64}$/.test(expectHead)) {
    return unusable('The expected head must be 64 lower-case hexadecimal digits.');
  }
  const given = await readGivenCheckpoints(options);
  if (typeof given === 'string') return unusable(given);
  let result: Verification;
  try {
    result = await verifyAuditLog({
      location: directory,
      expectHead,
      firstSeq,
      separateChains: collected,
      checkpoints: given.map(({ checkpoint }) => checkpoint),
    });
  } catch (error) {
    return unusable(`The audit log cannot be read: ${errorCodeOf(error)}`);
  }
  if (result.files.length === 0) return unusable('There is no audit log in this directory.');
  // A broker that has started has written one: nothing is known of a log that holds nothing.
  if (result.intact && result.records === 0) {
    return unusable(
      'There is not a single record in this log: it was emptied, or no broker has ever written to it.',
    );
  }
  out(
    json
      ? `${JSON.stringify(result)}\n`
      : report(result, { headGiven: expectHead !== undefined, given }),
  );
  return result.intact ? exitCodes.ok : exitCodes.failed;
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
}

function report(result: Verification, { headGiven, given }: Evidence): string {
  const { intact, chains, head, problems, problemCount, cutOff } = result;
  const lines = [summary(result)];
  for (const { chain, file, line, firstSeq, lastSeq } of chains) {
    lines.push(`chain ${chain}: records ${firstSeq} to ${lastSeq}, from ${file} line ${line}`);
  }
  if (head !== undefined) lines.push(`head  ${head.hash} (record ${head.seq})`);
  for (const { file, checkpoint } of given) {
    lines.push(
      `checkpoint ${file}: the first ${count(checkpoint.size, 'record')} of chain ${checkpoint.chain}`,
    );
  }
  lines.push(...cutOff.map(describeCutOff), ...problems.map(describe));
  if (problemCount > problems.length) {
    lines.push(`… and ${problemCount - problems.length} more`);
  }
  lines.push(...advice(result));
  if (intact && !headGiven && given.length === 0) {
    lines.push(
      'Whole records cut off at the end, or everything from some record on sealed anew, show only against a',
      'checkpoint (--checkpoint), or a head that was noted elsewhere (--expect-head).',
    );
  }
  return `${lines.map(printable).join('\n')}\n`;
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

function describe({ kind, file, line, seq, detail }: Problem): string {
  const name = seq === undefined ? 'the line' : `record ${seq}`;
  return `${kind}: ${file} line ${line}: ${name} ${detail}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
