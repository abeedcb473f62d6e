import { randomBytes } from 'node:crypto';
import { link, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { errorCodeOf } from './audit-sink.ts';

const lockName = 'audit.lock';

/** Another process, or another sink of this one, writes to the directory. */
export class DirectoryLockedError extends Error {
  override readonly name = 'DirectoryLockedError';
  readonly code = 'ELOCKED';
}

export interface DirectoryLock {
  /** False once the lock, or the directory around it, was removed or replaced. */
  isHeld(): Promise<boolean>;
  release(): Promise<void>;
}

/**
 * Makes this process the only writer of a directory. The lock of a process that is gone is taken over, if it
 * ran on this host; nothing can be known about processes of other hosts, so theirs holds until it is removed.
 * Who comes back to a directory with the same `nonce` finds its own lock.
 *
 * @throws DirectoryLockedError
 */
export async function lockDirectory(directory: string, nonce: string): Promise<DirectoryLock> {
  const file = path.join(directory, lockName);
  const own = JSON.stringify({
    host: hostname(),
    pid: process.pid,
    // In a container every process may be number 1: the start time tells them apart.
    started: await startTimeOf(process.pid),
    nonce,
  });
  const isHeld = async () => (await contentOf(file)) === own;
  if (!(await create(file, own)) && !(await isHeld())) {
    await removeStale(file);
    if (!(await create(file, own))) throw lockedBy('another process');
  }
  return {
    isHeld,
    async release() {
      if (await isHeld()) await unlink(file);
    },
  };
}

/** Appears with its content or not at all: `link` fails where a file exists. */
async function create(file: string, content: string): Promise<boolean> {
  const draft = `${file}.${randomBytes(8).toString('hex')}`;
  await writeFile(draft, content, { mode: 0o600, flag: 'wx', flush: true });
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if (errorCodeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

async function removeStale(file: string): Promise<void> {
  const content = await contentOf(file);
  if (content === undefined) return;
  const holder = await liveHolder(content);
  if (holder !== undefined) throw lockedBy(holder);
  const aside = `${file}.${randomBytes(8).toString('hex')}`;
  await rename(file, aside);
  // Someone else may have taken the lock over since it was read: then it goes back.
  if ((await contentOf(aside)) !== content) await link(aside, file);
  await unlink(aside);
}

/** Says who holds the lock; undefined if that process is gone. */
async function liveHolder(content: string): Promise<string | undefined> {
  const { host, pid, started } = parseLock(content);
  if (host !== hostname()) return `a process on host ${JSON.stringify(host)}`;
  if (!isAlive(pid)) return undefined;
  const startedNow = await startTimeOf(pid);
  return startedNow === started ? `process ${pid}` : undefined;
}

function parseLock(content: string): { host: unknown; pid: number; started: unknown } {
  try {
    const lock: unknown = JSON.parse(content);
    if (typeof lock === 'object' && lock !== null && 'host' in lock && 'pid' in lock) {
      const started = 'started' in lock ? lock.started : undefined;
      return { host: lock.host, pid: Number(lock.pid), started };
    }
  } catch {
    // Not a lock of ours: treated as held, below.
  }
  return { host: undefined, pid: 0, started: undefined };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return errorCodeOf(error) === 'EPERM';
  }
}

/** Linux: start time in clock ticks since boot (proc_pid_stat(5), field 22); null where there is no /proc. */
async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await contentOf(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  // A zombie keeps its number until its parent takes note of its end, but it writes no more.
  return fields[0] === 'Z' ? 'ended' : (fields[19] ?? null);
}

async function contentOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(errorCodeOf(error))) return undefined;
    throw error;
  }
}

function lockedBy(holder: string): DirectoryLockedError {
  return new DirectoryLockedError(
    `The audit directory is in use by ${holder}. Give every process its own directory; if that process is gone, remove ${lockName}.`,
  );
}
