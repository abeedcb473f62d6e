/** `audit verify`: is the audit log as it was written, and if not, where does that end? */

import { errorCodeOf } from '../audit/audit-sink.ts';
import type { CutOff, Problem } from '../audit/chain-verifier.ts';
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
  let result: Verification;
  try {
    result = await verifyAuditLog({
      location: directory,
      expectHead,
      firstSeq,
      separateChains: collected,
    });
  } catch (error) {
    return unusable(`The audit log cannot be read: ${errorCodeOf(error)}`);
  }
  if (result.files.length === 0) return unusable('There is no audit log in this directory.');
  out(json ? `${JSON.stringify(result)}\n` : report(result, expectHead !== undefined));
  return result.intact ? exitCodes.ok : exitCodes.failed;
}

function report(result: Verification, headGiven: boolean): string {
  const { intact, chains, head, problems, problemCount, cutOff } = result;
  const lines = [summary(result)];
  for (const { chain, file, line, firstSeq, lastSeq } of chains) {
    lines.push(`chain ${chain}: records ${firstSeq} to ${lastSeq}, from ${file} line ${line}`);
  }
  if (head !== undefined) lines.push(`head  ${head.hash} (record ${head.seq})`);
  lines.push(...cutOff.map(describeCutOff), ...problems.map(describe));
  if (problemCount > problems.length) {
    lines.push(`… and ${problemCount - problems.length} more`);
  }
  lines.push(...advice(result));
  if (intact && !headGiven) {
    lines.push(
      'Whole records cut off at the end, or everything from some record on sealed anew, show only',
    );
    lines.push('against a head that was noted elsewhere: --expect-head.');
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
