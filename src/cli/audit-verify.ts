/** `audit verify`: is the audit log as it was written, and if not, where does that end? */

import { errorCodeOf } from '../audit/audit-sink.ts';
import type { Problem } from '../audit/chain-verifier.ts';
import { type Verification, verifyAuditLog } from '../audit/verify.ts';
import { exitCodes } from './output.ts';

export interface AuditVerifyOptions {
  /** An audit directory, or one file: what a collector kept of standard output. */
  readonly directory: string;
  /** Hash of a record that must be there: one noted earlier, to find an end that was cut off. */
  readonly expectHead?: string;
  /** Number of the first record, if earlier files were archived. */
  readonly firstSeq?: number;
  readonly json: boolean;
  readonly out: (text: string) => void;
}

/** Exit code: 0 intact, 1 broken, 2 unreadable or wrong usage. */
export async function auditVerify(options: AuditVerifyOptions): Promise<number> {
  const { directory, expectHead, firstSeq, json, out } = options;
  const unusable = (error: string): number => {
    out(json ? `${JSON.stringify({ error })}\n` : `${error}\n`);
    return exitCodes.usage;
  };
  if (expectHead !== undefined && !/^[0-9a-f]{64}$/.test(expectHead)) {
    return unusable('The expected head must be 64 lower-case hexadecimal digits.');
  }
  let result: Verification;
  try {
    result = await verifyAuditLog({ location: directory, expectHead, firstSeq });
  } catch (error) {
    return unusable(`The audit log cannot be read: ${errorCodeOf(error)}`);
  }
  if (result.files.length === 0) return unusable('There is no audit log in this directory.');
  out(json ? `${JSON.stringify(result)}\n` : report(result));
  return result.intact ? exitCodes.ok : exitCodes.failed;
}

function report(result: Verification): string {
  const { intact, records, files, chains, head, problems, problemCount, incomplete } = result;
  const lines = [
    `${intact ? 'Intact' : 'BROKEN'}: ${count(records, 'record')} in ${count(files.length, 'file')}`,
  ];
  for (const { chain, file, line, firstSeq, lastSeq } of chains) {
    lines.push(`chain ${chain}: records ${firstSeq} to ${lastSeq}, from ${file} line ${line}`);
  }
  if (head !== undefined) lines.push(`head  ${head.hash} (record ${head.seq})`);
  if (incomplete !== undefined) {
    lines.push(
      `last line incomplete: not acknowledged (${incomplete.file} line ${incomplete.line}, ${count(incomplete.bytes, 'byte')})`,
    );
  }
  lines.push(...problems.map(describe));
  if (problemCount > problems.length) {
    lines.push(`… and ${problemCount - problems.length} more`);
  }
  if (!intact && problems[0]?.kind === 'missing' && chains[0]?.line === problems[0].line) {
    lines.push('If earlier files were archived, verify them together with these, or say which');
    lines.push('record this log begins with.');
  }
  return `${lines.join('\n')}\n`;
}

function describe({ kind, file, line, seq, detail }: Problem): string {
  const name = seq === undefined ? 'the line' : `record ${seq}`;
  return `${kind}: ${file} line ${line}: ${name} ${detail}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
