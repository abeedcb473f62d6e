import { parseJsonObject } from '../kit/json/json-object.ts';
import { type ChainHead, readLine } from './hash-chain.ts';
import type { LogBytes } from './log-bytes.ts';
import type { LogTakenOver } from './log-event.ts';

/**
 * The end of a file whose process was taken for dead: its successor goes on behind this record, in a file of its own.
 * What that process was about to write comes behind these bytes, and is no part of the log.
 */
export interface SealedEnd {
  readonly bytes: number;
  readonly head: ChainHead;
}

export interface Takeover {
  /** Its name, when it was closed. */
  readonly file: string;
  readonly end: SealedEnd;
}

/** Longer than the record of a takeover is. */
const firstLineBytes = 1024;

/** What the first record of a file says of the one before it. */
export async function takeoverIn(file: LogBytes): Promise<Takeover | undefined> {
  const line = await firstLine(file);
  const reading = readLine(line);
  if (reading.kind !== 'sealed') return undefined;
  const said = parseJsonObject(line.toString('latin1')) as Partial<LogTakenOver> | undefined;
  const { type, previousFile, previousBytes } = said ?? {};
  if (type !== 'audit_taken_over') return undefined;
  if (typeof previousFile !== 'string' || typeof previousBytes !== 'number') return undefined;
  const { chain, seq, prev } = reading.record;
  const head = { chain, seq: seq - 1, hash: prev };
  return { file: previousFile, end: { bytes: previousBytes, head } };
}

async function firstLine(file: LogBytes): Promise<Buffer> {
  const buffer = Buffer.alloc(firstLineBytes);
  try {
    const bytesRead = await file.read(buffer);
    return buffer.subarray(0, Math.max(0, buffer.subarray(0, bytesRead).indexOf('\n')));
  } finally {
    await file.close();
  }
}
