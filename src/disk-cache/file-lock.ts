import { randomBytes } from 'node:crypto';
import { closeSync, linkSync, lstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { readStateFileSync } from '../kit/files/state-file.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { keepingAlive } from '../kit/timing/keeping-alive.ts';
import { sleep } from '../kit/timing/sleep.ts';

export interface FileLockOptions {
  readonly clock: Clock;
  /** Longest wait for it. */
  readonly waitMs: number;
  /** A lock older than this belongs to nobody any more. */
  readonly staleMs: number;
}

/** Gives the lock back; does nothing if someone has taken it over. */
export type ReleaseLock = () => void;

/**
 * Lets one of many processes work while the others wait for what it finds. It saves work and protects nothing:
 * where it cannot be had in time, or at all, the answer is undefined and the caller goes on without.
 */
export async function acquireFileLock(
  path: string,
  { clock, waitMs, staleMs }: FileLockOptions,
): Promise<ReleaseLock | undefined> {
  const own = `${hostname()} ${process.pid} ${randomBytes(8).toString('hex')}`;
  const deadline = clock.monotonic() + waitMs;
  for (;;) {
    const attempt = tryLock(path, own);
    if (attempt === 'locked') return () => release(path, own);
    if (attempt === 'impossible' || clock.monotonic() >= deadline) return undefined;
    if (!removeStale(path, { now: clock.now(), staleMs })) {
      // Nothing else keeps this process alive while it waits.
      await keepingAlive(sleep(clock, pollMs * (0.5 + Math.random())));
    }
  }
}

const pollMs = 40;

function tryLock(path: string, own: string): 'locked' | 'taken' | 'impossible' {
  let file: number;
  try {
    // O_EXCL: fails wherever anything has that name, a symbolic link to nowhere included.
    file = openSync(path, 'wx', 0o600);
  } catch (error) {
    return errorCodeOf(error) === 'EEXIST' ? 'taken' : 'impossible';
  }
  try {
    writeSync(file, own);
    return 'locked';
  } catch {
    // On a full disk: without a name in it, it would hold up everybody until it is old.
    rmSync(path, { force: true });
    return 'impossible';
  } finally {
    closeSync(file);
  }
}

/** Says whether there is a point in trying again at once. */
function removeStale(
  path: string,
  { now, staleMs }: { readonly now: number; readonly staleMs: number },
): boolean {
  try {
    const seen = contentOf(path);
    // A lock of the future is by a clock that was ahead: it would hold up everybody until then.
    const isStale = Math.abs(now - lstatSync(path).mtimeMs) > staleMs;
    if (!isStale && !isHolderGone(seen)) return false;
    const aside = `${path}.${randomBytes(8).toString('hex')}.tmp`;
    renameSync(path, aside);
    // Someone else may have taken it over since it was read: then it goes back.
    if (contentOf(aside) !== seen) linkSync(aside, path);
    rmSync(aside, { recursive: true });
    return true;
  } catch (error) {
    return errorCodeOf(error) === 'ENOENT';
  }
}

function isHolderGone(content: string): boolean {
  const [host, pid] = content.split(' ');
  // Of other hosts nothing can be known, nor of a lock whose holder has not written its name yet.
  if (host !== hostname() || !/^[1-9]\d{0,9}$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return errorCodeOf(error) === 'ESRCH';
  }
}

function release(path: string, own: string): void {
  if (contentOf(path) === own) rmSync(path, { force: true });
}

/** Empty for what is not a lock of ours. */
function contentOf(path: string): string {
  try {
    return readStateFileSync(path, { maxBytes: 1024, secret: true })?.toString() ?? '';
  } catch {
    return '';
  }
}
