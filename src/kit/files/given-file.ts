/**
 * A file that somebody gives to this program: configuration, mappings, tokens, certificates. It may belong to
 * anybody and be reached by links, as the volumes of Kubernetes are, but it never blocks and has a limit.
 */

import { closeSync, constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { openRegularFile, openRegularFileSync, readWhole, readWholeSync } from './regular-file.ts';

/** @throws FileRefusedError, or the error of the file system */
export async function readGivenFile(path: string, maxBytes: number): Promise<Buffer> {
  const file = await openGivenFile(path);
  try {
    return await readWhole(file, path, maxBytes);
  } finally {
    await file.close();
  }
}

/** @throws FileRefusedError, or the error of the file system */
export function readGivenFileSync(path: string, maxBytes: number): Buffer {
  const file = openRegularFileSync({ path, ...asGiven });
  try {
    return readWholeSync(file, path, maxBytes);
  } finally {
    closeSync(file);
  }
}

/** For what is too long to be read at once. @throws FileRefusedError, or the error of the file system */
export function openGivenFile(path: string): Promise<FileHandle> {
  return openRegularFile({ path, ...asGiven });
}

const asGiven = { flags: constants.O_RDONLY, check: () => undefined };
