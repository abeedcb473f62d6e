import { type ChainFindings, ChainVerifier, type Problem } from './chain-verifier.ts';
import { readAuditLines } from './read-lines.ts';

export interface VerifyOptions {
  /** An audit directory, or one file: what a collector kept of standard output. */
  readonly location: string;
  /** Hash of a record known to have been written: finds an end that was cut off. */
  readonly expectHead?: string | undefined;
  /** Number of the record that the log is expected to begin with, if earlier files were archived. */
  readonly firstSeq?: number | undefined;
}

export interface Verification extends ChainFindings {
  readonly intact: boolean;
  readonly files: readonly string[];
}

/**
 * Checks the hash chain from the first record to the last. Without `expectHead` nobody can tell whether
 * records were cut off at the end: a chain does not know how long it was.
 *
 * @throws the system's error if a file cannot be read.
 */
export async function verifyAuditLog(options: VerifyOptions): Promise<Verification> {
  const { location, expectHead, firstSeq } = options;
  const verifier = new ChainVerifier(firstSeq);
  const files = new Set<string>();
  let headSeen = expectHead === undefined;
  for await (const { file, lines } of readAuditLines(location)) {
    files.add(file);
    for (const line of lines) {
      const record = verifier.take(file, line);
      if (record !== undefined && record.hash === expectHead) headSeen = true;
    }
  }
  const findings = verifier.findings();
  const names = [...files];
  if (headSeen) return { ...findings, intact: findings.problemCount === 0, files: names };
  return {
    ...findings,
    intact: false,
    files: names,
    problems: [...findings.problems, truncation(findings, names.at(-1) ?? '')],
    problemCount: findings.problemCount + 1,
  };
}

function truncation({ head, incomplete }: ChainFindings, lastFile: string): Problem {
  return {
    kind: 'truncated',
    file: incomplete?.file ?? lastFile,
    line: incomplete?.line ?? 0,
    seq: head?.seq,
    detail: 'is where the log ends, without the expected head: later records were removed',
  };
}
