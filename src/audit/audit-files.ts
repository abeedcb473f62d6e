/** The files of one audit log: the current one, and those that rotation has closed, named by their first record. */

import { type FileHandle, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { openGivenFile } from '../kit/files/given-file.ts';
import { compressedEnding, isCompressed, logBytes } from './log-bytes.ts';
import { type SealedEnd, takeoverIn } from './sealed-end.ts';

export const currentFileName = 'audit.jsonl';
const rotatedName = /^audit-(\d{12,16})\.jsonl$/;

export function rotatedFileName(firstSeq: number): string {
  return `audit-${String(firstSeq).padStart(12, '0')}.jsonl`;
}

/** Number of the first record of a closed file, packed or not, as its name says; undefined for any other name. */
export function firstSeqOf(name: string): number | undefined {
  const plain = isCompressed(name) ? name.slice(0, -compressedEnding.length) : name;
  const [, firstSeq] = rotatedName.exec(plain) ?? [];
  return firstSeq === undefined ? undefined : Number(firstSeq);
}

export interface RotatedFile {
  readonly name: string;
  readonly firstSeq: number;
}

/** Those that a broker can continue, oldest first. */
export async function rotatedFiles(directory: string): Promise<readonly RotatedFile[]> {
  return (await closedFiles(directory)).filter(({ name }) => !isCompressed(name));
}

/** Packed ones too, oldest first. Where gzip has left the original beside the packed file, that is the one. */
async function closedFiles(directory: string): Promise<readonly RotatedFile[]> {
  const found = new Map<number, RotatedFile>();
  for (const name of await readdir(directory)) {
    const firstSeq = firstSeqOf(name);
    if (firstSeq === undefined || (isCompressed(name) && found.has(firstSeq))) continue;
    found.set(firstSeq, { name, firstSeq });
  }
  return [...found.values()].sort((a, b) => a.firstSeq - b.firstSeq);
}

/** Whether it is a file of an audit log, by its name. */
export function isAuditFile(name: string): boolean {
  return name === currentFileName || firstSeqOf(name) !== undefined;
}

export interface AuditFile {
  readonly name: string;
  /** Open for reading, until the next file is asked for. */
  readonly handle: FileHandle;
  /** Where the log goes on in the next file, if the process that had this one may have written more to it. */
  readonly sealedEnd?: SealedEnd | undefined;
}

/** Whether a closed file is to be opened; `next` is the one that was closed after it. */
export type FileChoice = (
  file: RotatedFile,
  next: RotatedFile | undefined,
) => boolean | Promise<boolean>;

/** The files at `location` in the order they were written: an audit directory, or one file. */
export async function* openAuditFiles(
  location: string,
  wanted: FileChoice = () => true,
): AsyncGenerator<AuditFile> {
  if (!(await stat(location)).isDirectory()) {
    yield* openFile(path.dirname(location), path.basename(location));
    return;
  }
  // Opened before the others are listed: a rotation in between must not hide records from the reader.
  const current = await openIfPresent(path.join(location, currentFileName));
  try {
    const currentInode = (await current?.stat())?.ino;
    const closed = await closedFiles(location);
    for (const [index, file] of closed.entries()) {
      if (!(await wanted(file, closed[index + 1]))) continue;
      if ((await stat(path.join(location, file.name))).ino === currentInode) continue;
      const next = closed[index + 1];
      const sealedEnd =
        next === undefined
          ? current && (await endOf(file, currentFileName, current))
          : await endOfNamed(file, location, next.name);
      yield* openFile(location, file.name, sealedEnd);
    }
    if (current !== undefined) yield { name: currentFileName, handle: current };
  } finally {
    await current?.close();
  }
}

/** Where a file ends according to the one after it; undefined if that says nothing of it. */
async function endOf(file: RotatedFile, next: string, handle: FileHandle) {
  const takeover = await takeoverIn(logBytes(handle, next));
  const isMeant = takeover !== undefined && firstSeqOf(takeover.file) === file.firstSeq;
  return isMeant ? takeover.end : undefined;
}

async function endOfNamed(file: RotatedFile, directory: string, next: string) {
  const handle = await openGivenFile(path.join(directory, next));
  try {
    return await endOf(file, next, handle);
  } finally {
    await handle.close();
  }
}

async function* openFile(
  directory: string,
  name: string,
  sealedEnd?: SealedEnd,
): AsyncGenerator<AuditFile> {
  const handle = await openGivenFile(path.join(directory, name));
  try {
    yield { name, handle, sealedEnd };
  } finally {
    await handle.close();
  }
}

async function openIfPresent(file: string): Promise<FileHandle | undefined> {
  try {
    return await openGivenFile(file);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
