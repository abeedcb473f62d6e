import {
  type ChainExpectations,
  type ChainFindings,
  ChainVerifier,
  type Problem,
} from './chain-verifier.ts';
import type { Checkpoint } from './checkpoints/checkpoint.ts';
import { CheckpointCheck } from './checkpoints/checkpoint-check.ts';
import type { SealedRecord } from './hash-chain.ts';
import { type LateBatch, lateBatches } from './late-batches.ts';
import { readAuditLines } from './read-lines.ts';

export interface VerifyOptions extends ChainExpectations {
  /** An audit directory, or one file: what a collector kept of standard output. */
  readonly location: string;
  /** Hash of a record known to have been written: finds an end that was cut off. */
  readonly expectHead?: string | undefined;
  /** Whose signatures have been checked. */
  readonly checkpoints?: readonly Checkpoint[] | undefined;
  /** There are more logs: a checkpoint of a chain that is not in this one is held against those. */
  readonly oneOfSeveral?: boolean | undefined;
  /** Gets each record that its own hash bears out, without its line feed, and valid during the call. */
  readonly onRecord?: ((line: Buffer) => void) | undefined;
}

export interface Verification extends ChainFindings {
  readonly intact: boolean;
  readonly files: readonly string[];
  /** No part of the log: of processes that were taken for dead, and had nobody told that these were kept. */
  readonly late: readonly LateBatch[];
}

/**
 * Checks the hash chain from the first record to the last. Two things nobody can tell from a log alone: whether
 * whole records were cut off at its end, because a chain does not know how long it was, and whether it was sealed
 * anew from some record to its end, because sealing takes no secret. Both show against `expectHead` or a checkpoint.
 *
 * @throws the system's error if a file cannot be read.
 */
export async function verifyAuditLog(options: VerifyOptions): Promise<Verification> {
  const { location, expectHead, checkpoints = [], oneOfSeveral = false, onRecord } = options;
  const verifier = new ChainVerifier(options);
  const covered = new CheckpointCheck(checkpoints);
  let headSeen = expectHead === undefined;
  const linesIn = await follow(location, verifier, (record, line) => {
    onRecord?.(line);
    headSeen ||= record.hash === expectHead;
    covered.take(record);
  });
  const files = [...linesIn.keys()];
  const findings = verifier.findings();
  const isHere = (wanted: string) => findings.chains.some(({ chain }) => chain === wanted);
  const details = [...covered.contradictions()]
    .filter(({ chain }) => !oneOfSeveral || isHere(chain))
    .map(({ detail }) => detail);
  if (!headSeen) {
    details.unshift(
      'is where the log ends, without the expected head: records were removed, or sealed anew',
    );
  }
  const file = files.at(-1) ?? '';
  const late: LateBatch[] = [];
  const foreign: Problem[] = [];
  for await (const batch of lateBatches(location)) {
    if (batch.possible) late.push(batch);
    else foreign.push(behindSealedEnd(batch, linesIn.get(batch.file) ?? 0));
  }
  const end = { file, line: linesIn.get(file) ?? 0, seq: findings.head?.seq };
  const problems = [
    ...findings.problems,
    ...foreign,
    ...details.map((detail): Problem => ({ kind: 'truncated', ...end, detail })),
  ];
  const problemCount = findings.problemCount + foreign.length + details.length;
  return { ...findings, intact: problemCount === 0, files, late, problems, problemCount };
}

function behindSealedEnd({ file, bytes }: LateBatch, lines: number): Problem {
  const detail = `and what follows it (${bytes} bytes) was added to a file that its successor had sealed off, and is no batch of the process that wrote it`;
  return { kind: 'altered', file, line: lines + 1, seq: undefined, detail };
}

/** How many lines there are, by file. */
async function follow(
  location: string,
  verifier: ChainVerifier,
  onRecord: (record: SealedRecord, line: Buffer) => void,
): Promise<ReadonlyMap<string, number>> {
  const linesIn = new Map<string, number>();
  for await (const { file, lines } of readAuditLines(location)) {
    linesIn.set(file, (linesIn.get(file) ?? 0) + lines.length);
    for (const line of lines) {
      const record = verifier.take(file, line);
      if (record !== undefined) onRecord(record, line.bytes);
    }
  }
  for (const [file, lines] of linesIn) if (lines === 0) verifier.takeEmpty(file);
  return linesIn;
}
