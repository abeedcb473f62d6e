import type { FileHandle } from 'node:fs/promises';
import { type ChainHead, isTornRecord, readLine, type SealedRecord } from './hash-chain.ts';

/** Where a log that was closed, or left by a crash, is to be continued. */
export type LogTail =
  | { readonly kind: 'empty'; readonly torn: Buffer | undefined }
  | {
      readonly kind: 'sealed';
      readonly head: ChainHead;
      /** Length of the file up to its last complete line. */
      readonly bytes: number;
      /** What a crash left of a record after that. */
      readonly torn: Buffer | undefined;
    }
  | {
      readonly kind: 'altered';
      readonly claimed: SealedRecord | undefined;
      /** False if a line feed is needed before anything can be appended. */
      readonly endsLine: boolean;
    };

/** Longer than a line and a torn one together can be. */
const windowBytes = 64 * 1024;
const lineFeed = 0x0a;

export async function readTail(handle: FileHandle, fileBytes: number): Promise<LogTail> {
  const bytes = await readExactly(handle, Math.max(0, fileBytes - windowBytes), fileBytes);
  if (bytes.length === 0) return { kind: 'empty', torn: undefined };
  const lastFeed = bytes.lastIndexOf(lineFeed);
  const rest = bytes.subarray(lastFeed + 1);
  const torn = rest.length === 0 ? undefined : rest;
  if (torn !== undefined && !isTornRecord(torn)) {
    return { kind: 'altered', claimed: undefined, endsLine: false };
  }
  if (lastFeed < 0) {
    return bytes.length === fileBytes
      ? { kind: 'empty', torn }
      : { kind: 'altered', claimed: undefined, endsLine: false };
  }
  const start = lastFeed === 0 ? 0 : bytes.lastIndexOf(lineFeed, lastFeed - 1) + 1;
  const reading = readLine(bytes.subarray(start, lastFeed));
  return reading.kind === 'sealed'
    ? { kind: 'sealed', head: reading.record, bytes: fileBytes - rest.length, torn }
    : { kind: 'altered', claimed: reading.claimed, endsLine: torn === undefined };
}

export interface LogStart {
  readonly firstSeq: number;
  /** Epoch milliseconds of the first record. */
  readonly time: number;
}

/** What the first line says; undefined where that cannot be read. */
export async function readStart(handle: FileHandle): Promise<LogStart | undefined> {
  const text = (await readExactly(handle, 0, 512)).toString('latin1');
  const [, seq] = /^\{"seq":(\d{1,15}),/.exec(text) ?? [];
  const [, time] = /"time":"([^"]{1,40})"/.exec(text) ?? [];
  const epochMs = Date.parse(time ?? '');
  return seq === undefined || Number.isNaN(epochMs)
    ? undefined
    : { firstSeq: Number(seq), time: epochMs };
}

async function readExactly(handle: FileHandle, from: number, to: number): Promise<Buffer> {
  const buffer = Buffer.alloc(to - from);
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, from + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
