/** What a command writes where somebody told it to. */

import { closeSync, constants, fstatSync, openSync, writeFileSync } from 'node:fs';
import { errorCodeOf } from './error-code.ts';
import { FileRefusedError } from './regular-file.ts';

/**
 * Over what the file had. In a folder that others fill, such as a check-out, the name may be a link: what it leads to keeps what it
 * has, unless it is no file at all, as /dev/stdout and the pipes of a shell are.
 *
 * @throws FileRefusedError, or the error of the file system
 */
export function writeNamedFileSync(path: string, content: string): void {
  const file = openOutput(path);
  try {
    writeFileSync(file, content);
  } finally {
    closeSync(file);
  }
}

/** Undefined if nothing that is written was refused, else why. @throws every other error */
export function whyRefused(write: () => void): string | undefined {
  try {
    write();
    return undefined;
  } catch (error) {
    if (error instanceof FileRefusedError) return error.message;
    throw error;
  }
}

function openOutput(path: string): number {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  try {
    return openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o666);
  } catch (error) {
    if (!isLink(error)) throw error;
  }
  const file = openSync(path, O_WRONLY);
  if (!fstatSync(file).isFile()) return file;
  closeSync(file);
  throw new FileRefusedError('link', path, 'is a link: name the file itself');
}

function isLink(error: unknown): boolean {
  return errorCodeOf(error) === 'ELOOP';
}
