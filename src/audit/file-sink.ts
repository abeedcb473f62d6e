import { type FileHandle, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { BrokerError } from '../core/errors.ts';
import { errorCodeOf } from '../kit/files/error-code.ts';
import { Lease, type Predecessor } from '../kit/files/lease.ts';
import { makeFolder } from '../kit/files/make-folder.ts';
import { atMost } from '../kit/timing/at-most.ts';
import type { Clock, Timer } from '../kit/timing/clock.ts';
import { currentFileName } from './audit-files.ts';
import type { AuditObserver, AuditSink } from './audit-sink.ts';
import type { CoveredHead } from './checkpoints/covered.ts';
import { DiskRoom, type DiskSpace } from './disk-room.ts';
import { GroupCommit } from './group-commit.ts';
import { type ChainHead, sealRecords } from './hash-chain.ts';
import type { LogEvent, LogRecovered, LogTakenOver } from './log-event.ts';
import {
  AuditFileTakenError,
  type LogFile,
  moved,
  RotationRefusedError,
  rotate,
} from './log-file.ts';
import { type LogPosition, type OpenedLog, openLog } from './open-log.ts';
import { recordFields } from './record-fields.ts';
import type { RecordPurpose } from './record-purpose.ts';

export interface FileSinkOptions {
  /** Created with mode 0700 if it is not there. One process at a time writes to it. */
  readonly directory: string;
  readonly clock: Clock;
  /** Version of this service, for the record that opens the log. */
  readonly version: string;
  readonly observer?: AuditObserver;
  readonly deadlineMs?: number;
  /** How long to wait before the disk is tried again after a failure. */
  readonly retryMs?: number;
  readonly rotateBytes?: number;
  /** Age of a file's first record at which it is closed; without it only size counts. */
  readonly rotateAfterSeconds?: number | undefined;
  readonly maxQueuedRecords?: number;
  readonly maxQueuedBytes?: number;
  /** The end of the disk that is kept for administrators' records. Default 0: nothing is. */
  readonly reserveBytes?: number;
  /** After which another process may take the directory from one that is not heard of. Default 10 s. */
  readonly leaseMs?: number;
  /** The last record that a checkpoint covers, as the process before has left it. */
  readonly covered?: (() => Promise<CoveredHead | undefined>) | undefined;
}

/** Faults of the moment: the sink keeps trying. Any other one at start is a mistake in the configuration. */
const passingFaults: readonly string[] = [
  'EAGAIN',
  'EDQUOT',
  'EFBIG',
  'EIO',
  // Another process had the directory, and may be gone.
  'ELEASED',
  'EMFILE',
  'ENFILE',
  'ENOSPC',
  'EROFS',
  'ESTALE',
  'ETIMEDOUT',
];
const placeCheckMs = 1_000;
const rotationRetryMs = 60_000;

/**
 * Appends records to a file and syncs them (fdatasync) before they count as kept.
 *
 * After any failure nothing is accepted until a record of the sink's own has been made durable again, which
 * it tries by itself every `retryMs`: a sink that nobody asks because it is not ready recovers all the same.
 */
export class FileSink implements AuditSink {
  readonly name = 'file';
  readonly #options: FileSinkOptions;
  readonly #observer: AuditObserver;
  readonly #deadlineMs: number;
  readonly #queue: GroupCommit;
  readonly #room: DiskRoom;
  #directoryHandle: FileHandle | undefined;
  /** Makes this process the only writer of the directory. */
  readonly #lock: Lease;
  /** That the directory is on. */
  #device: number | undefined;
  #log: { readonly file: LogFile; readonly head: ChainHead } | undefined;
  #last: LogPosition | undefined;
  /** Since when nothing is accepted, and why; undefined before the log was first opened. */
  #outage: { readonly sinceMs: number; readonly errorCode: string } | undefined;
  /** Kept until it is on record, because what was cut off cannot be found a second time. */
  #recovered: LogRecovered | undefined;
  /** Kept until it is on record, as the first one of its file. */
  #takenOver: LogTakenOver | undefined;
  /** From when the directory was taken from a process that may go on, until the log has a file of this one. */
  #mustSealOff: boolean = false;
  #work: Promise<unknown> | undefined;
  #retryTimer: Timer | undefined;
  #placeCheckedAtMs = 0;
  #rotateNotBeforeMs = 0;
  #phase: 'working' | 'stopping' = 'working';

  constructor(options: FileSinkOptions) {
    this.#options = options;
    this.#observer = options.observer ?? {};
    this.#deadlineMs = options.deadlineMs ?? 1_000;
    this.#lock = new Lease({
      path: path.join(options.directory, 'audit.lock'),
      clock: options.clock,
      leaseMs: options.leaseMs ?? 10_000,
    });
    this.#queue = new GroupCommit({
      sink: this.name,
      clock: options.clock,
      deadlineMs: this.#deadlineMs,
      maxQueuedRecords: options.maxQueuedRecords ?? 10_000,
      maxQueuedBytes: options.maxQueuedBytes ?? 16 * 1024 * 1024,
      write: (records) => this.#commit(records),
      observer: this.#observer,
    });
    this.#room = new DiskRoom({
      directory: options.directory,
      reserveBytes: options.reserveBytes ?? 0,
      clock: options.clock,
      onChange: (event) => this.#observer.onRoom?.({ sink: this.name, ...event }),
    });
  }

  /**
   * Opens the log. A disk that is full, blocked or failing at this moment is no error: the sink is then not
   * ready, and goes on trying.
   */
  async start(): Promise<void> {
    const error = await atMost(this.#options.clock, this.#deadlineMs, this.#open());
    if (error === undefined || passingFaults.includes(errorCodeOf(error))) return;
    await this.stop();
    throw new BrokerError('audit_unavailable', {
      detail: 'The audit directory cannot be used: see the cause.',
      cause: error,
    });
  }

  append(fields: string): Promise<void> {
    return this.#queue.append(fields);
  }

  ready(): boolean {
    return this.#queue.healthy;
  }

  hasRoomFor(purpose: RecordPurpose): boolean {
    return this.#room.hasRoomFor(purpose);
  }

  room(): DiskSpace | undefined {
    return this.#room.space;
  }

  waiting(): number {
    return this.#queue.waiting;
  }

  /** The last record that is durable; undefined while the log is not open. */
  durableHead(): ChainHead | undefined {
    return this.#log?.head;
  }

  async stop(): Promise<void> {
    this.#phase = 'stopping';
    this.#retryTimer?.cancel();
    // If the disk is blocked, this ends when it returns; until then the lock stays, as it must.
    const released = this.#queue
      .drain()
      .then(() => this.#work)
      .then(() => this.#release());
    await atMost(this.#options.clock, this.#deadlineMs, released);
  }

  async #release(): Promise<void> {
    const [log, directory] = [this.#log, this.#directoryHandle];
    this.#log = undefined;
    this.#directoryHandle = undefined;
    // Everything that was accepted is durable already: what fails here ends with the process.
    await log?.file.close().catch(ignore);
    await directory?.close().catch(ignore);
    await this.#lock.release().catch(ignore);
  }

  /** Never two at a time, so that a blocked disk holds no more than one thread. Resolves to what went wrong. */
  #open(): Promise<unknown> {
    const opening = this.#tryToOpen().catch((error: unknown) => {
      this.#observer.onFailure?.({
        sink: this.name,
        reason: 'write_failed',
        records: 0,
        errorCode: errorCodeOf(error),
      });
      return this.#abandon().then(() => error);
    });
    return this.#track(opening);
  }

  #track(work: Promise<unknown>): Promise<unknown> {
    this.#work = work;
    return work.finally(() => {
      this.#work = undefined;
    });
  }

  async #tryToOpen(): Promise<void> {
    const { directory, clock, covered } = this.#options;
    const predecessor = await this.#holdDirectory();
    // What another one wrote since then is no fault of the log.
    if (predecessor !== 'nobody') this.#last = undefined;
    this.#mustSealOff ||= predecessor === 'silent';
    const directoryHandle = this.#directoryHandle ?? (await open(directory, 'r'));
    this.#directoryHandle = directoryHandle;
    const last = this.#last;
    const signed = last === undefined ? await covered?.() : undefined;
    const sealOff = this.#mustSealOff ? { directoryHandle } : undefined;
    const opened = await openLog({ directory, clock, last, covered: signed, sealOff });
    this.#log = opened;
    this.#mustSealOff = false;
    this.#takenOver = opened.takenOver ?? this.#takenOver;
    // It may have been mounted, unmounted or replaced since the lock was looked at.
    const inPlace = await opened.file.isAt(path.join(directory, currentFileName));
    if (!inPlace || !(await this.#lock.isHeld())) throw moved();
    await directoryHandle.sync();
    this.#recovered = opened.recovered ?? this.#recovered;
    const first = opened.broken ?? this.#takenOver;
    const events = [first, this.#recovered, this.#firstEvent(opened.head.seq)];
    await this.#appendSealed(events.filter((event) => event !== undefined).map(recordFields));
    this.#outage = undefined;
    this.#last = undefined;
    this.#recovered = undefined;
    this.#takenOver = undefined;
    await this.#room.refresh();
    if (this.#phase === 'working') this.#queue.resume();
    this.#raiseAlarms(opened);
  }

  #raiseAlarms({ broken, emptied }: OpenedLog): void {
    const sink = this.name;
    if (broken !== undefined) {
      this.#observer.onAlarm?.({ sink, reason: broken.reason, file: broken.brokenFile });
    }
    if (emptied) this.#observer.onAlarm?.({ sink, reason: 'file_emptied', file: currentFileName });
  }

  /** A directory that was replaced during an outage is another one, which nobody has locked yet. */
  async #holdDirectory(): Promise<Predecessor> {
    if (await this.#lock.isHeld()) return 'nobody';
    const { directory } = this.#options;
    // Only at first: one that went away later is not to be made up for on whatever disk lies beneath.
    if (this.#device === undefined) await makeFolder(directory, 0o700);
    await this.#requireSamePlace();
    return await this.#lock.acquire();
  }

  /** A mount point without its file system looks like an empty directory: what is written there would be hidden. */
  async #requireSamePlace(): Promise<void> {
    const { directory } = this.#options;
    const { dev } = await stat(directory);
    if (this.#device === undefined) this.#device = dev;
    if (dev === this.#device) return;
    // Mounted again it may be another device, but the log is in it.
    const { size } = await stat(path.join(directory, currentFileName));
    if (size === 0) throw moved();
    this.#device = dev;
  }

  #firstEvent(previousSeq: number): LogEvent {
    const { clock, version } = this.#options;
    const time = new Date(clock.now()).toISOString();
    if (this.#outage === undefined) {
      return { type: 'audit_opened', time, version, pid: process.pid, previousSeq };
    }
    const { sinceMs, errorCode } = this.#outage;
    const outageMs = Math.round(clock.monotonic() - sinceMs);
    const refusedRecords = this.#queue.notAccepted;
    return { type: 'audit_resumed', time, errorCode, outageMs, refusedRecords };
  }

  async #commit(records: readonly string[]): Promise<void> {
    try {
      await this.#checkPlace();
      // A process that was stopped for a while must not write into its successor's log.
      if (!(await this.#lock.isHeld())) throw moved();
      if (await this.#log?.file.isShortened()) throw shortened();
      await this.#rotateIfDue();
      await this.#appendSealed(records);
    } catch (error) {
      this.#outage = {
        sinceMs: this.#options.clock.monotonic(),
        errorCode: errorCodeOf(error),
      };
      this.#queue.suspend(error);
      // Not awaited: the callers are told first.
      void this.#track(this.#abandon());
      throw error;
    }
  }

  async #appendSealed(records: readonly string[]): Promise<void> {
    if (this.#log === undefined) throw new Error('the audit log is not open');
    const { file, head } = this.#log;
    const sealed = sealRecords(head, records);
    await file.append(sealed.text, async () => {
      // Whoever was stopped between that look and this one may have a successor that knows nothing of what was just
      // written. Held now, it was held when all of it was on the disk, and a successor goes on behind it.
      if (!(await this.#lock.isHeld())) throw moved();
    });
    // Only now: a record that was not kept must leave no gap in the chain.
    this.#log = { file, head: sealed.head };
    this.#room.spend(sealed.text.length);
  }

  async #checkPlace(): Promise<void> {
    const { clock, directory } = this.#options;
    if (clock.monotonic() - this.#placeCheckedAtMs < placeCheckMs) return;
    this.#placeCheckedAtMs = clock.monotonic();
    if (await this.#log?.file.isAt(path.join(directory, currentFileName))) return;
    throw moved();
  }

  async #rotateIfDue(): Promise<void> {
    if (this.#log === undefined || this.#directoryHandle === undefined) return;
    if (!this.#rotationIsDue(this.#log.file)) return;
    const { file, head } = this.#log;
    const { directory, clock } = this.#options;
    const directoryHandle = this.#directoryHandle;
    try {
      const now = clock.now();
      const next = await rotate({ directory, directoryHandle, file, nextSeq: head.seq + 1, now });
      this.#log = { file: next, head };
    } catch (error) {
      if (!(error instanceof RotationRefusedError)) throw error;
      this.#rotateNotBeforeMs = clock.monotonic() + rotationRetryMs;
      this.#observer.onFailure?.({
        sink: this.name,
        reason: 'rotation_failed',
        records: 0,
        errorCode: errorCodeOf(error.cause),
      });
    }
  }

  #rotationIsDue(file: LogFile): boolean {
    const { clock, rotateBytes = 64 * 1024 * 1024, rotateAfterSeconds } = this.#options;
    if (file.bytes === 0 || clock.monotonic() < this.#rotateNotBeforeMs) return false;
    if (file.bytes >= rotateBytes) return true;
    if (rotateAfterSeconds === undefined) return false;
    return clock.now() - file.begunAt >= rotateAfterSeconds * 1000;
  }

  /** Takes back what a failed write left, as far as the disk allows, and plans the next attempt. */
  async #abandon(): Promise<void> {
    const [log, directory] = [this.#log, this.#directoryHandle];
    this.#log = undefined;
    this.#directoryHandle = undefined;
    if (log !== undefined) {
      this.#last = { head: log.head, bytes: log.file.bytes };
      // Whatever fails here is met again, and repaired, when the file is opened next.
      // Once somebody else holds the directory, what stands there is theirs.
      if (await this.#lock.isHeld().catch(() => false)) await log.file.rollBack().catch(ignore);
      await log.file.close().catch(ignore);
    }
    // A file system that failed can be unmounted, repaired and mounted again only if nothing in it is open.
    await directory?.close().catch(ignore);
    if (this.#phase === 'stopping') return;
    this.#retryTimer = this.#options.clock.after(this.#options.retryMs ?? 200, () => {
      void this.#open();
    });
  }
}

function ignore(): void {}

/** What `copytruncate` of logrotate does: the broker rotates by itself. */
function shortened(): AuditFileTakenError {
  return new AuditFileTakenError('ETRUNCATED', 'the audit file was shortened');
}
