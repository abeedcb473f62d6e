import { hash, randomBytes } from 'node:crypto';
import { constants, type FileHandle, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openLogFile } from '../kit/files/state-file.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { currentFileName, rotatedFileName, rotatedFiles } from './audit-files.ts';
import { type CoveredHead, hasRecord } from './checkpoints/covered.ts';
import { type ChainHead, startChain } from './hash-chain.ts';
import type { ChainBreak, ChainBroken, LogRecovered, LogTakenOver } from './log-event.ts';
import { type FileIdentity, LogFile, openForAppend, rotate } from './log-file.ts';
import { type LogStart, type LogTail, readStart, readTail } from './log-tail.ts';

/** Where this process was when it last had the log open. */
export interface LogPosition {
  readonly head: ChainHead;
  readonly bytes: number;
}

export interface OpenLogOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly last: LogPosition | undefined;
  /** The last record that a checkpoint covers: the log must have it, or it is not continued. */
  readonly covered?: CoveredHead | undefined;
  /** For a process that may still be about to write to the current file, which is then left to it. */
  readonly sealOff?: { readonly directoryHandle: FileHandle } | undefined;
}

export interface OpenedLog {
  readonly file: LogFile;
  readonly head: ChainHead;
  /** What was found and done: to be recorded before anything else. */
  readonly broken: ChainBroken | undefined;
  readonly recovered: LogRecovered | undefined;
  readonly takenOver?: LogTakenOver;
  /** The records that this process wrote last are in no file of the directory; their chain goes on. */
  readonly emptied: boolean;
}

/**
 * Opens the log so that the next record continues its chain. What a crash or a failed write left behind the
 * last record is cut off. A chain whose end is not what was written is left as it is, and a new one begins.
 */
export async function openLog(options: OpenLogOptions): Promise<OpenedLog> {
  const handle = await openForAppend(path.join(options.directory, currentFileName));
  try {
    return await continueLog(options, handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function continueLog(options: OpenLogOptions, handle: FileHandle): Promise<OpenedLog> {
  const { clock, last } = options;
  const identity = await handle.stat();
  const { size } = identity;
  const start = size === 0 ? undefined : await readStart(handle);
  const opened = (head: ChainHead, bytes: number, found: Findings = {}): OpenedLog => ({
    file: new LogFile({
      handle,
      identity,
      bytes,
      firstSeq: (bytes === 0 ? undefined : start?.firstSeq) ?? head.seq + 1,
      begunAt: start?.time ?? clock.now(),
    }),
    head,
    broken: found.broken,
    recovered: found.recovered,
    emptied: found.emptied ?? false,
  });

  if (last !== undefined && (await endsWith(handle, size, last))) {
    // The records behind it were refused, and after a failed sync they need not be on the disk.
    await truncate(handle, size, last.bytes);
    return opened(last.head, last.bytes);
  }

  const tail = await readTail(handle, size);
  const judged = await requireCovered(
    options,
    tail,
    await judge(options, tail, start?.firstSeq ?? 0),
  );
  if (options.sealOff !== undefined) {
    return await sealOff(options, options.sealOff, { handle, identity, size, start, tail }, judged);
  }
  if (tail.kind === 'altered') {
    const bytes = tail.endsLine ? size : await endLine(handle, size);
    return opened(judged.head, bytes, judged);
  }
  const bytes = sealedBytes(tail);
  if (tail.torn === undefined) return opened(judged.head, bytes, judged);
  const recovered = await setAside(options, tail.torn);
  await truncate(handle, size, bytes);
  return opened(judged.head, bytes, { ...judged, recovered });
}

function sealedBytes(tail: LogTail): number {
  return tail.kind === 'sealed' ? tail.bytes : 0;
}

interface FoundFile {
  readonly handle: FileHandle;
  readonly identity: FileIdentity;
  readonly size: number;
  readonly start: LogStart | undefined;
  readonly tail: LogTail;
}

/** Begins a file of this process's own. Nothing is cut off the other one: its holder may be in the middle of it. */
async function sealOff(
  { directory, clock }: OpenLogOptions,
  { directoryHandle }: NonNullable<OpenLogOptions['sealOff']>,
  { handle, identity, size, start, tail }: FoundFile,
  { head, broken }: Judgement,
): Promise<OpenedLog> {
  const now = clock.now();
  const left = new LogFile({
    handle,
    identity,
    bytes: tail.kind === 'altered' ? size : sealedBytes(tail),
    // Lower than that of the file to come.
    firstSeq: start?.firstSeq ?? head.seq,
    begunAt: start?.time ?? now,
  });
  const file = await rotate({ directory, directoryHandle, file: left, nextSeq: head.seq + 1, now });
  const time = new Date(now).toISOString();
  const previous = { previousFile: rotatedFileName(left.firstSeq), previousBytes: left.bytes };
  const takenOver = {
    type: 'audit_taken_over',
    time,
    ...(left.bytes > 0 ? previous : {}),
  } as const;
  return { file, head, broken, recovered: undefined, takenOver, emptied: false };
}

interface Findings {
  readonly broken?: ChainBroken | undefined;
  readonly emptied?: boolean | undefined;
  readonly recovered?: LogRecovered;
}

interface Judgement {
  readonly head: ChainHead;
  readonly broken?: ChainBroken;
  readonly emptied?: boolean;
}

/** Which chain the next record belongs to. */
async function judge(options: OpenLogOptions, tail: LogTail, firstSeq: number): Promise<Judgement> {
  const { last } = options;
  const afterSeq = Math.max(last?.head.seq ?? 0, firstSeq);
  switch (tail.kind) {
    case 'altered':
      return breakOff(options, {
        reason: 'tail_altered',
        claimed: tail.claimed,
        brokenFile: currentFileName,
        afterSeq,
      });
    case 'sealed':
      if (last === undefined || last.head.hash === tail.head.hash) return { head: tail.head };
      return breakOff(options, {
        reason: 'tail_unexpected',
        claimed: tail.head,
        brokenFile: currentFileName,
        afterSeq,
      });
    case 'empty':
      return last === undefined
        ? await continueRotated(options)
        : await continueLast(options, last);
  }
}

/** A log that lost what was signed for is not continued: the next checkpoint would contradict the last one. */
async function requireCovered(
  options: OpenLogOptions,
  tail: LogTail,
  judged: Judgement,
): Promise<Judgement> {
  const { directory, covered } = options;
  if (covered === undefined || judged.broken !== undefined) return judged;
  const signed = covered === 'unreadable' ? undefined : covered;
  if (signed !== undefined && (await hasRecord(directory, judged.head, signed))) return judged;
  return breakOff(options, {
    reason: 'checkpoint_missing',
    claimed: tail.kind === 'sealed' ? tail.head : signed,
    brokenFile: currentFileName,
    afterSeq: Math.max(judged.head.seq, signed?.seq ?? 0),
    signed,
  });
}

async function continueLast({ directory }: OpenLogOptions, last: LogPosition): Promise<Judgement> {
  const { head, bytes } = last;
  if (bytes === 0) return { head };
  // A rotation that was interrupted has already given it the name under which it stays.
  const newest = (await rotatedFiles(directory)).at(-1);
  const tail = newest === undefined ? undefined : await tailOf(path.join(directory, newest.name));
  return { head, emptied: tail?.kind !== 'sealed' || tail.head.hash !== head.hash };
}

async function continueRotated(options: OpenLogOptions): Promise<Judgement> {
  const newest = (await rotatedFiles(options.directory)).at(-1);
  if (newest === undefined) return { head: startChain() };
  const tail = await tailOf(path.join(options.directory, newest.name));
  if (tail.kind === 'sealed' && tail.torn === undefined) return { head: tail.head };
  return breakOff(options, {
    reason: 'tail_altered',
    claimed: tail.kind === 'altered' ? tail.claimed : undefined,
    brokenFile: newest.name,
    afterSeq: newest.firstSeq,
  });
}

interface Break {
  readonly reason: ChainBreak;
  readonly claimed: ChainHead | undefined;
  readonly brokenFile: string;
  readonly afterSeq: number;
  readonly signed?: ChainHead | undefined;
}

/** What an altered line claims beyond this would only use up the numbers. */
const maxClaimedSeq = 1e12;

/** Leaves the chain as it is. Numbers go on rising in the new one: files are named by them. */
function breakOff({ clock }: OpenLogOptions, found: Break): Judgement {
  const { reason, claimed, brokenFile, afterSeq, signed } = found;
  const claimedSeq = claimed !== undefined && claimed.seq < maxClaimedSeq ? claimed.seq : 0;
  return {
    head: startChain(Math.max(afterSeq, claimedSeq)),
    broken: {
      type: 'audit_chain_broken',
      time: new Date(clock.now()).toISOString(),
      reason,
      brokenFile,
      ...(claimed === undefined ? {} : { brokenChain: claimed.chain, brokenSeq: claimed.seq }),
      ...(signed === undefined ? {} : { signed }),
    },
  };
}

async function tailOf(file: string): Promise<LogTail> {
  const handle = await openLogFile(file, constants.O_RDONLY);
  try {
    return await readTail(handle, (await handle.stat()).size);
  } finally {
    await handle.close();
  }
}

async function endsWith(handle: FileHandle, size: number, last: LogPosition): Promise<boolean> {
  if (last.bytes === 0 || size < last.bytes) return false;
  const tail = await readTail(handle, last.bytes);
  return tail.kind === 'sealed' && tail.torn === undefined && tail.head.hash === last.head.hash;
}

async function truncate(handle: FileHandle, size: number, bytes: number): Promise<void> {
  if (size === bytes) return;
  await handle.truncate(bytes);
  await handle.datasync();
}

async function endLine(handle: FileHandle, size: number): Promise<number> {
  await handle.appendFile('\n');
  return size + 1;
}

/** Keeps the bytes as evidence before they are cut off. */
async function setAside({ directory, clock }: OpenLogOptions, torn: Buffer): Promise<LogRecovered> {
  const time = new Date(clock.now()).toISOString();
  const keptIn = `torn-${time.replaceAll(':', '')}-${randomBytes(4).toString('hex')}.bin`;
  await writeFile(path.join(directory, keptIn), torn, { mode: 0o600, flag: 'wx', flush: true });
  const cutSha256 = hash('sha256', torn, 'hex');
  return { type: 'audit_recovered', time, cutBytes: torn.length, cutSha256, keptIn };
}
