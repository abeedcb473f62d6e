/** Opening a file by its name without waiting for anybody, and reading it without taking more than was meant. */

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errorCodeOf } from './error-code.ts';

export type FileFault = 'link' | 'not_regular' | 'too_large' | 'foreign_owner' | 'open_to_others';

/** Something has that name, and is not taken for the file that belongs there. The message says what to do. */
export class FileRefusedError extends Error {
  override readonly name = 'FileRefusedError';
  readonly code = 'EREFUSED';
  readonly fault: FileFault;
  /** The message without the name of the file. */
  readonly detail: string;

  constructor(fault: FileFault, path: string, detail: string) {
    super(`${path} ${detail}`);
    this.fault = fault;
    this.detail = detail;
  }
}

export interface OpenRules {
  readonly path: string;
  /** As of open(2), besides those that keep it from blocking. */
  readonly flags: number;
  /** Refuses more than what is no regular file. @throws FileRefusedError */
  readonly check: (path: string, facts: Stats) => void;
}

/** Mode 0600 where the flags create it. @throws FileRefusedError, or the error of the file system */
export async function openRegularFile({ path, flags, check }: OpenRules): Promise<FileHandle> {
  const file = await open(path, flags | neverBlocking, 0o600).catch((error: unknown) => {
    throw refusalOf(path, error);
  });
  try {
    const facts = await file.stat();
    requireRegular(path, facts);
    check(path, facts);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A descriptor. @throws FileRefusedError, or the error of the file system */
export function openRegularFileSync({ path, flags, check }: OpenRules): number {
  let file: number;
  try {
    file = openSync(path, flags | neverBlocking, 0o600);
  } catch (error) {
    throw refusalOf(path, error);
  }
  try {
    const facts = fstatSync(file);
    requireRegular(path, facts);
    check(path, facts);
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** The whole of it, whatever size it claims to have. @throws FileRefusedError if that is more than `maxBytes` */
export async function readWhole(file: FileHandle, path: string, maxBytes: number): Promise<Buffer> {
  let room = roomFor((await file.stat()).size, maxBytes);
  let filled = 0;
  for (;;) {
    const { bytesRead } = await file.read(room, filled, room.length - filled, filled);
    filled += bytesRead;
    if (filled > maxBytes) throw tooLarge(path, maxBytes);
    if (bytesRead === 0) return room.subarray(0, filled);
    room = grown(room, filled, maxBytes);
  }
}

/** The whole of it, whatever size it claims to have. @throws FileRefusedError if that is more than `maxBytes` */
export function readWholeSync(file: number, path: string, maxBytes: number): Buffer {
  let room = roomFor(fstatSync(file).size, maxBytes);
  let filled = 0;
  for (;;) {
    const bytesRead = readSync(file, room, filled, room.length - filled, filled);
    filled += bytesRead;
    if (filled > maxBytes) throw tooLarge(path, maxBytes);
    if (bytesRead === 0) return room.subarray(0, filled);
    room = grown(room, filled, maxBytes);
  }
}

/** A pipe in the place of the file would be waited for by open(2) until somebody comes to its other end. */
const neverBlocking = constants.O_NONBLOCK;

/** One byte more shows that there is no more, or too much. */
function roomFor(size: number, maxBytes: number): Buffer {
  return Buffer.allocUnsafe(Math.min(size, maxBytes) + 1);
}

/** Files of /proc claim to be empty, and others may be written to while they are read. */
function grown(room: Buffer, filled: number, maxBytes: number): Buffer {
  if (filled < room.length) return room;
  const larger = Buffer.allocUnsafe(Math.min(2 * room.length + 4096, maxBytes + 1));
  room.copy(larger, 0, 0, filled);
  return larger;
}

function refusalOf(path: string, error: unknown): unknown {
  switch (errorCodeOf(error)) {
    // What O_NOFOLLOW says of a link.
    case 'ELOOP':
    case 'EMLINK':
      return new FileRefusedError(
        'link',
        path,
        'is a symbolic link, which is not followed: remove it, or put the file itself there.',
      );
    // A folder, or the other end of a pipe or socket that nobody holds.
    case 'EISDIR':
    case 'ENXIO':
      return notRegular(path);
    default:
      return error;
  }
}

function requireRegular(path: string, facts: Stats): void {
  if (!facts.isFile()) throw notRegular(path);
}

function notRegular(path: string): FileRefusedError {
  return new FileRefusedError(
    'not_regular',
    path,
    'is not a regular file: remove what is there, or name another file.',
  );
}

function tooLarge(path: string, maxBytes: number): FileRefusedError {
  return new FileRefusedError('too_large', path, `is larger than ${maxBytes} bytes.`);
}
