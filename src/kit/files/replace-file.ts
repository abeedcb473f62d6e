/** The one way in which a whole file is written. */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCodeOf } from './error-code.ts';

export type FileContent = string | AsyncIterable<string>;

/**
 * Replaces the file, and whatever else has its name, as a whole or not at all: a reader, or a power cut, sees the
 * old content or the new one. Mode 0600. What is written meanwhile has a name that nobody can foresee, and
 * is never something that was there before.
 *
 * @throws the error of the file system
 */
export async function replaceFile(path: string, content: FileContent): Promise<void> {
  const draft = draftOf(path);
  try {
    const file = await open(draft, createAnew, ownerOnly);
    try {
      await writeAll(file, content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * For commands, which have nothing else to do meanwhile. What is for everybody has another mode.
 *
 * @throws the error of the file system
 */
export function replaceFileSync(path: string, content: string, mode = ownerOnly): void {
  const draft = draftOf(path);
  try {
    const file = openSync(draft, createAnew, mode);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  syncFolderSync(dirname(path));
}

/** What processes left behind that died while they wrote. For a file that no other process writes. */
export async function removeDrafts(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    if (name.startsWith(`${basename(path)}.`) && draftEnding.test(name)) {
      await rm(join(folder, name), { force: true });
    }
  }
}

/** Without this a crash of the machine may bring back what the name stood for before. */
async function syncFolder(path: string): Promise<void> {
  if (!foldersCanBeOpened) return;
  const folder = await open(path, 'r');
  try {
    await folder.sync().catch(unlessUnsupported);
  } finally {
    await folder.close();
  }
}

function syncFolderSync(path: string): void {
  if (!foldersCanBeOpened) return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } catch (error) {
    unlessUnsupported(error);
  } finally {
    closeSync(folder);
  }
}

const foldersCanBeOpened = process.platform !== 'win32';

/** Some network file systems sync files and know no such thing for folders. */
function unlessUnsupported(error: unknown): void {
  if (errorCodeOf(error) !== 'EINVAL') throw error;
}

const createAnew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const ownerOnly = 0o600;
const draftEnding = /\.[0-9a-f]{16}\.tmp$/;

function draftOf(path: string): string {
  return `${path}.${randomBytes(8).toString('hex')}.tmp`;
}

async function writeAll(file: FileHandle, content: FileContent): Promise<void> {
  if (typeof content === 'string') await file.writeFile(content);
  else for await (const part of content) await file.writeFile(part);
}
