import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Locks this process holds: its own pid in a lock file may also be left over from an earlier life. */
const heldHere = new Set<string>();

export const lockFileName = 'server.lock';

const maxAttempts = 3;

/**
 * Takes a folder, made if missing, for this process alone; returns the function that gives it back. Throws
 * if another live process of this machine, or another part of this one, has it. A lock whose process is gone is taken over.
 * The lock is a file with a process id, so it does not reach across machines or containers.
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(resolve(folder), lockFileName);
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    if (createLock(file)) {
      heldHere.add(file);
      return () => {
        if (heldHere.delete(file)) rmSync(file, { force: true });
      };
    }
    const holder = readHolder(file);
    if (heldHere.has(file) || (holder !== process.pid && isAlive(holder))) {
      throw new Error(`${folder} is in use by process ${holder}; if that is wrong, remove ${file}`);
    }
    rmSync(file, { force: true });
  }
  throw new Error(`${folder} is being taken by another process`);
}

function createLock(file: string): boolean {
  try {
    writeFileSync(file, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** NaN where the file is gone or holds no number; no process has that id. */
function readHolder(file: string): number {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return Number.NaN;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, but somebody else's.
    return errorCode(error) === 'EPERM';
  }
}

function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
