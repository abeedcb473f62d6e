import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, link, lstat, rename, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { openLogFile } from '../kit/files/state-file.ts';
import { currentFileName, rotatedFileName } from './audit-files.ts';

// Readable too, because the tail is read through the same handle that appends.
const appendFlags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;

/** @throws FileRefusedError for what others may have put there, or the error of the file system */
export async function openForAppend(file: string, extraFlags = 0): Promise<FileHandle> {
  return await openLogFile(file, appendFlags | extraFlags);
}

export interface FileIdentity {
  readonly dev: number;
  readonly ino: number;
}

export interface LogFileOptions {
  readonly handle: FileHandle;
  /** What it is, whatever its name: `stat` of it has both. */
  readonly identity: FileIdentity;
  /** Length up to the last record that is known to be durable. */
  readonly bytes: number;
  readonly firstSeq: number;
  /** Epoch milliseconds. */
  readonly begunAt: number;
}

/** The file that records are appended to. One call at a time. */
export class LogFile {
  readonly firstSeq: number;
  readonly begunAt: number;
  readonly #handle: FileHandle;
  readonly #identity: FileIdentity;
  #bytes: number;

  constructor({ handle, identity, bytes, firstSeq, begunAt }: LogFileOptions) {
    this.#handle = handle;
    this.#identity = identity;
    this.#bytes = bytes;
    this.firstSeq = firstSeq;
    this.begunAt = begunAt;
  }

  /** Length up to the last record that is durable. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends lines of ASCII and makes them durable; they count once `confirm`, asked then, has nothing against it. If it
   * throws, any part of them may be in the file.
   */
  async append(text: string, confirm: () => Promise<void>): Promise<void> {
    const bytes = Buffer.from(text, 'latin1');
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await this.#handle.write(
        bytes,
        written,
        bytes.length - written,
        null,
      );
      written += bytesWritten;
    }
    await this.#handle.datasync();
    await confirm();
    this.#bytes += bytes.length;
  }

  /** Whether durable records are no longer in it, as after `copytruncate` of logrotate. */
  async isShortened(): Promise<boolean> {
    return (await this.#handle.stat()).size < this.#bytes;
  }

  /** Takes away what an append that failed has left. */
  async rollBack(): Promise<void> {
    // To cut a shorter file to that length would fill it up with zeros.
    if (await this.isShortened()) return;
    await this.#handle.truncate(this.#bytes);
    await this.#handle.datasync();
  }

  /** Whether the file is still the one at that path: appending to a removed file would lose the records. */
  async isAt(file: string): Promise<boolean> {
    try {
      // A link to it is not it: whoever put that there decides what becomes of it.
      const { dev, ino } = await lstat(file);
      return dev === this.#identity.dev && ino === this.#identity.ino;
    } catch (error) {
      if (errorCodeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

export interface RotationOptions {
  readonly directory: string;
  /** Open on the same directory, to sync it. */
  readonly directoryHandle: FileHandle;
  readonly file: LogFile;
  /** Number of the record that will come first in the new file. */
  readonly nextSeq: number;
  readonly now: number;
}

/** What has the file's name is not the file that was written to. */
export class AuditFileTakenError extends Error {
  override readonly name = 'AuditFileTakenError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export function moved(): AuditFileTakenError {
  return new AuditFileTakenError('EMOVED', 'the audit file was moved or removed');
}

/** Nothing has changed yet: the file at hand can still be appended to. */
export class RotationRefusedError extends Error {
  override readonly name = 'RotationRefusedError';
}

/**
 * Closes the file under the name of its first record and begins a new one. Every record in it is durable by
 * then; the new file exists before the old one gives its place away, so that a lack of descriptors is found in time.
 * A file without a record is given up.
 *
 * No step replaces or removes a file that is not this process's: one that was stopped right before it may
 * have a successor, whose file has the name by now.
 *
 * @throws RotationRefusedError if it could not begin; other errors leave the directory to be opened anew.
 */
export async function rotate(options: RotationOptions): Promise<LogFile> {
  const { directory, directoryHandle, file, nextSeq, now } = options;
  const current = path.join(directory, currentFileName);
  const next = `${current}.next`;
  const closed = path.join(directory, rotatedFileName(file.firstSeq));
  const handle = await prepare({ file, current, next, closed });
  try {
    const identity = await handle.stat();
    await giveWay(file, current);
    await link(next, current);
    await unlink(next);
    await directoryHandle.sync();
    await file.close();
    return new LogFile({ handle, identity, bytes: 0, firstSeq: nextSeq, begunAt: now });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface Preparation {
  readonly file: LogFile;
  readonly current: string;
  readonly next: string;
  readonly closed: string;
}

async function prepare({ file, current, next, closed }: Preparation): Promise<FileHandle> {
  try {
    if (file.bytes > 0) await nameClosed(file, current, closed);
    // What a crash left there holds no record that has no other name.
    await rm(next, { force: true });
    return await openForAppend(next, constants.O_EXCL);
  } catch (error) {
    throw new RotationRefusedError('the audit file could not be rotated', { cause: error });
  }
}

/** A second name, which nothing else has: a rename would replace another part of the log. */
async function nameClosed(file: LogFile, current: string, closed: string): Promise<void> {
  const named = await link(current, closed).then(
    () => true,
    (error: unknown) => {
      if (errorCodeOf(error) === 'EEXIST') return false;
      throw error;
    },
  );
  // An attempt before this one may have come as far as here.
  if (await file.isAt(closed)) return;
  if (!named) throw new Error('a file of that name exists');
  await unlink(closed);
  throw moved();
}

/** Takes the file out of its place. */
async function giveWay(file: LogFile, current: string): Promise<void> {
  const aside = `${current}.${randomBytes(8).toString('hex')}`;
  await rename(current, aside);
  if (await file.isAt(aside)) {
    await unlink(aside);
    return;
  }
  await link(aside, current);
  await unlink(aside);
  throw moved();
}
