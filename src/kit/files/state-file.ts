/**
 * A file that this program wrote itself, and believes when it finds it again. It counts only if nobody else can
 * have made it: a regular file of this process's user that nobody else may write, reached by no link.
 */

import { closeSync, constants, type Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { errorCodeOf } from './error-code.ts';
import {
  FileRefusedError,
  type OpenRules,
  openRegularFile,
  openRegularFileSync,
  readWhole,
  readWholeSync,
} from './regular-file.ts';

export interface StateFileRules {
  readonly maxBytes: number;
  /** Others may not even read it. */
  readonly secret?: boolean;
}

/** Undefined if nothing has that name. @throws FileRefusedError, or the error of the file system */
export async function readStateFile(
  path: string,
  { maxBytes, secret = false }: StateFileRules,
): Promise<Buffer | undefined> {
  const file = await openStateFile(path, { secret });
  if (file === undefined) return undefined;
  try {
    return await readWhole(file, path, maxBytes);
  } finally {
    await file.close();
  }
}

/** For reading part by part; the caller closes it. Undefined if nothing has that name. @throws as readStateFile */
export async function openStateFile(
  path: string,
  { secret = false }: Omit<StateFileRules, 'maxBytes'> = {},
): Promise<FileHandle | undefined> {
  const rules = rulesFor(path, constants.O_RDONLY, secret ? openToOthers : writableByOthers);
  try {
    return await openRegularFile(rules);
  } catch (error) {
    return undefinedIfAbsent(error);
  }
}

/** Undefined if nothing has that name. @throws FileRefusedError, or the error of the file system */
export function readStateFileSync(
  path: string,
  { maxBytes, secret = false }: StateFileRules,
): Buffer | undefined {
  const rules = rulesFor(path, constants.O_RDONLY, secret ? openToOthers : writableByOthers);
  try {
    const file = openRegularFileSync(rules);
    try {
      return readWholeSync(file, path, maxBytes);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    return undefinedIfAbsent(error);
  }
}

/**
 * For what is kept open and appended to, and vouches for its content by itself: its group may write to it, as
 * Kubernetes arranges for every file of a volume (`fsGroup`). Mode 0600 if the flags create it.
 *
 * @throws FileRefusedError, or the error of the file system
 */
export function openLogFile(path: string, flags: number): Promise<FileHandle> {
  return openRegularFile(rulesFor(path, flags, writableByAll));
}

/** Undefined where users have no numbers, as on Windows: there access lists protect the user's folders. */
export function ownUser(): number | undefined {
  return process.geteuid?.();
}

const writableByAll = 0o002;
const writableByOthers = 0o022;
const openToOthers = 0o077;

function rulesFor(path: string, flags: number, forbiddenBits: number): OpenRules {
  return {
    path,
    flags: flags | constants.O_NOFOLLOW,
    check: (_path, { uid, mode }: Stats) => {
      const user = ownUser();
      if (user === undefined) return;
      if (uid !== user) throw foreignOwner(path, uid, user);
      if ((mode & forbiddenBits) !== 0) throw openTo(path, mode);
    },
  };
}

function foreignOwner(path: string, owner: number, user: number): FileRefusedError {
  return new FileRefusedError(
    'foreign_owner',
    path,
    `belongs to user ${owner}, and this process is user ${user}: remove it, and it is written anew.`,
  );
}

function openTo(path: string, mode: number): FileRefusedError {
  return new FileRefusedError(
    'open_to_others',
    path,
    `is open to other users (mode ${(mode & 0o777).toString(8).padStart(4, '0')}): find out why, and remove it or make it 0600.`,
  );
}

function undefinedIfAbsent(error: unknown): undefined {
  if (errorCodeOf(error) !== 'ENOENT') throw error;
}
