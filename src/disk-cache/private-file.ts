/** Small files that hold secrets and belong to one user. */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs';

/**
 * Replaces the file whole or not at all, whatever stands at that path; nobody but the owner may read it.
 *
 * @throws the error of the file system
 */
export function writePrivateFile(path: string, text: string): void {
  const draft = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** Undefined if it is absent, too large, no plain file, somebody else's, or open to others. Never waits. */
export function readPrivateFile(path: string, maxBytes: number): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const facts = fstatSync(file);
    if (!facts.isFile() || !isPrivate(facts) || facts.size > maxBytes) return undefined;
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

/** Owned by the user of this process, and no business of anybody else. */
export function isPrivate({ uid, mode }: Stats): boolean {
  const user = process.geteuid?.();
  // Windows has neither; there the folder of the user is protected by its access list.
  return user === undefined || (uid === user && (mode & 0o077) === 0);
}
