/**
 * One of many processes holds a file, wherever they run: in other containers and on other hosts too. The holder
 * changes it every now and then, and looks before each use whether it is still its own; who wants it waits until
 * it has not changed for the length of the lease, by the waiter's own clock, or until the kernel says that the
 * holder is gone. What the holder does after a look must be done well within half a lease.
 */

import { randomBytes } from 'node:crypto';
import { close as closeFd, constants, open as openFd, read as readFd } from 'node:fs';
import { link, open, readFile, readlink, rename, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { parseJsonObject } from '../json/json-object.ts';
import type { Clock, Timer } from '../timing/clock.ts';
import { errorCodeOf } from './error-code.ts';
import { openRegularFile } from './regular-file.ts';
import { readStateFile } from './state-file.ts';

export interface LeaseOptions {
  readonly path: string;
  readonly clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly leaseMs: number;
}

/** `ELOCKED`: somebody who lives has it. `ELEASED`: nothing is known of the holder yet; try again. */
class LeaseHeldError extends Error {
  override readonly name = 'LeaseHeldError';
  readonly code: 'ELOCKED' | 'ELEASED';

  constructor(code: 'ELOCKED' | 'ELEASED', holder: string, path: string) {
    super(`${path} is held by ${holder}`);
    this.code = code;
  }
}

/** Who had it since this process last did. One that is `silent` may be stopped only, and go on with what it was about to do. */
export type Predecessor = 'nobody' | 'gone' | 'silent';

export class Lease {
  readonly #path: string;
  readonly #clock: LeaseOptions['clock'];
  readonly #leaseMs: number;
  readonly #nonce = randomBytes(8).toString('hex');
  /** What the file says while it is ours; undefined before it first was. */
  #own: string | undefined;
  #self: Holder | undefined;
  #beats = 0;
  #beatAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  /** What somebody else's said when it last changed, and when that was seen. */
  #seen: { readonly content: string; readonly sinceMs: number } | undefined;
  #beating: Promise<boolean> | undefined;
  #predecessor: Predecessor = 'nobody';

  constructor({ path, clock, leaseMs }: LeaseOptions) {
    this.#path = path;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
  }

  /** @throws LeaseHeldError, FileRefusedError, or the error of the file system */
  async acquire(): Promise<Predecessor> {
    if (await this.isHeld()) return 'nobody';
    // Once: it never changes, and a process without descriptors could not read it again.
    this.#self ??= await ownProcess();
    const own = this.#content(this.#self);
    if (!(await create(this.#path, own))) {
      await this.#takeOver();
      if (!(await create(this.#path, own))) throw this.#heldBy('ELOCKED', 'another process');
    }
    this.#seen = undefined;
    this.#own = own;
    this.#beatAt = this.#clock.monotonic();
    this.#plan();
    const predecessor = this.#predecessor;
    this.#predecessor = 'nobody';
    return predecessor;
  }

  /** False once somebody else has it, or the file, or the folder around it, was removed or replaced. */
  async isHeld(): Promise<boolean> {
    if (this.#own === undefined) return false;
    if (this.#clock.monotonic() - this.#beatAt > this.#leaseMs / 2) return this.#beat();
    await this.#beating;
    const own = this.#own;
    if (await hasContent(this.#path, own)) return true;
    // A beat that began after this look may have written before it read.
    return this.#own !== own && (await this.isHeld());
  }

  async release(): Promise<void> {
    this.#timer?.cancel();
    await this.#beating?.catch(() => undefined);
    if ((await contentOf(this.#path)) === this.#own && this.#own !== undefined) {
      await unlink(this.#path);
    }
    this.#own = undefined;
  }

  #plan(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.#leaseMs / 5, () => {
      if (this.#own === undefined) return;
      // What fails here is met again by whoever looks next.
      void this.#beat().catch(() => false);
      this.#plan();
    });
  }

  #beat(): Promise<boolean> {
    this.#beating ??= this.#writeBeat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /** In place: whoever takes the file over moves it aside first, and sees there what came in between. */
  async #writeBeat(): Promise<boolean> {
    const startedAt = this.#clock.monotonic();
    const before = this.#own;
    const self = this.#self;
    if (before === undefined || self === undefined) return false;
    if ((await contentOf(this.#path)) !== before) return false;
    const file = await open(this.#path, constants.O_RDWR | noLink);
    try {
      const bytes = Buffer.alloc(maxBytes);
      const { bytesRead } = await file.read(bytes, 0, maxBytes, 0);
      if (bytes.toString('utf8', 0, bytesRead) !== before) return false;
      this.#beats += 1;
      this.#own = this.#content(self);
      await file.write(this.#own, 0);
    } finally {
      await file.close();
    }
    if ((await contentOf(this.#path)) !== this.#own) return false;
    this.#beatAt = startedAt;
    return true;
  }

  /** Moves aside what belongs to nobody any more. */
  async #takeOver(): Promise<void> {
    const content = await contentOf(this.#path);
    if (content === undefined) return;
    // Ours of a while ago, in a folder that went and came back.
    const isOwn = parse(content).nonce === this.#nonce;
    if (!isOwn) await this.#requireGone(content);
    const aside = `${this.#path}.${randomBytes(8).toString('hex')}`;
    await rename(this.#path, aside);
    // Its holder was not gone after all: then it goes back.
    if ((await contentOf(aside)) !== content) await link(aside, this.#path);
    await unlink(aside);
  }

  async #requireGone(content: string): Promise<void> {
    const holder = parse(content);
    const state = await stateOf(holder);
    // If it lives and lets go of the file later, it is gone by then.
    if (this.#predecessor === 'nobody') this.#predecessor = 'gone';
    if (state === 'gone') return;
    if (state === 'alive') throw this.#heldBy('ELOCKED', `process ${holder.pid}`);
    const now = this.#clock.monotonic();
    const changed = this.#seen !== undefined && this.#seen.content !== content;
    if (this.#seen?.content !== content) this.#seen = { content, sinceMs: now };
    const where = `a process on ${JSON.stringify(holder.host ?? 'an unknown host')}`;
    if (changed) throw this.#heldBy('ELOCKED', where);
    if (now - this.#seen.sinceMs < this.#leaseMs) throw this.#heldBy('ELEASED', where);
    this.#predecessor = 'silent';
  }

  /** Always as long as before, so that it can be written over. */
  #content(holder: Holder): string {
    const beats = String(this.#beats).padStart(12, '0');
    return JSON.stringify({ ...holder, nonce: this.#nonce, beats });
  }

  #heldBy(code: 'ELOCKED' | 'ELEASED', holder: string): LeaseHeldError {
    return new LeaseHeldError(code, holder, this.#path);
  }
}

const maxBytes = 4096;
const noLink = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Appears with its content or not at all: `link` fails where anything has that name. */
async function create(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await openRegularFile({ path: draft, flags, check: () => undefined });
  try {
    try {
      await file.writeFile(content);
      // A name without its content, as a file system that failed may leave it, would be nobody's for a whole lease.
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path);
    return true;
  } catch (error) {
    if (errorCodeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

interface Holder {
  readonly nonce?: unknown;
  readonly host?: unknown;
  readonly boot?: unknown;
  readonly namespace?: unknown;
  readonly pid?: unknown;
  readonly started?: unknown;
}

function parse(content: string): Holder {
  return parseJsonObject(content) ?? {};
}

async function ownProcess(): Promise<Holder> {
  const [boot, namespace, started] = await Promise.all([
    bootId(),
    pidNamespace(),
    startTimeOf(process.pid),
  ]);
  return { host: hostname(), boot, namespace, pid: process.pid, started };
}

/** The kernel knows of processes of its own and of this PID namespace alone; its number there means nothing here. */
async function stateOf({ boot, namespace, pid, started }: Holder) {
  const [ownBoot, ownNamespace] = await Promise.all([bootId(), pidNamespace()]);
  const comparable = ownBoot !== null && boot === ownBoot && namespace === ownNamespace;
  if (!comparable || typeof pid !== 'number') return 'unknown';
  // In a container every process may be number 1: the start time tells them apart.
  return (await startTimeOf(pid)) === started ? 'alive' : 'gone';
}

async function bootId(): Promise<string | null> {
  return (await textOf('/proc/sys/kernel/random/boot_id'))?.trim() ?? null;
}

async function pidNamespace(): Promise<string | null> {
  return readlink('/proc/self/ns/pid').catch(() => null);
}

/** Linux: start time in clock ticks since boot (proc_pid_stat(5), field 22); null where there is no such process. */
async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await textOf(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  // A zombie keeps its number until its parent takes note of its end, but it writes no more.
  return fields[0] === 'Z' ? 'ended' : (fields[19] ?? null);
}

/** Of /proc. */
function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}

async function contentOf(path: string): Promise<string | undefined> {
  return (await readStateFile(path, { maxBytes }))?.toString();
}

const descriptor = {
  open: promisify(openFd),
  read: promisify(readFd),
  close: promisify(closeFd),
};

/**
 * What is only compared needs no owner, and this is asked twice for each commit of the audit log: by descriptors, which
 * cost a fifth less than file handles.
 */
async function hasContent(path: string, content: string): Promise<boolean> {
  const fd = await descriptor.open(path, constants.O_RDONLY | noLink).catch(() => undefined);
  // Nothing there, or what is not to be followed: the careful way says which.
  if (fd === undefined) return (await contentOf(path)) === content;
  try {
    const bytes = Buffer.allocUnsafe(Buffer.byteLength(content) + 1);
    const { bytesRead } = await descriptor.read(fd, bytes, 0, bytes.length, 0);
    return bytes.toString('utf8', 0, bytesRead) === content;
  } finally {
    await descriptor.close(fd);
  }
}
