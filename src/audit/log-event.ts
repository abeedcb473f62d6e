/** What the log says about itself, in the same chain as the records that it keeps. */

/** A process has opened the log. */
export interface LogOpened {
  readonly type: 'audit_opened';
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  readonly version: string;
  readonly pid: number;
  /** Number of the last record of the process before; 0 for a new log. */
  readonly previousSeq: number;
}

/**
 * The log ended in the middle of a line, as a crash leaves it, and that part was cut off. What a crash interrupts
 * was not acknowledged; that it was one, and nobody who shortened the file, the log cannot tell.
 */
export interface LogRecovered {
  readonly type: 'audit_recovered';
  readonly time: string;
  readonly cutBytes: number;
  readonly cutSha256: string;
  /** File in the same directory that keeps the bytes. */
  readonly keptIn: string;
}

/** The sink works again after it had refused records. */
export interface LogResumed {
  readonly type: 'audit_resumed';
  readonly time: string;
  readonly errorCode: string;
  readonly outageMs: number;
  readonly refusedRecords: number;
}

/**
 * The directory was taken from a process that was not heard of, and may only be stopped: first in its file. What that
 * process was about to write comes behind the part of the file before that counts, and nobody was told that it was kept.
 */
export interface LogTakenOver {
  readonly type: 'audit_taken_over';
  readonly time: string;
  /** Absent if that process had left no record in its last file. */
  readonly previousFile?: string;
  /** The part of it that counts. */
  readonly previousBytes?: number;
}

/** First record of a chain that does not continue the one before it in the same file, because that is broken. */
export interface ChainBroken {
  readonly type: 'audit_chain_broken';
  readonly time: string;
  readonly reason: ChainBreak;
  readonly brokenFile: string;
  /** As the last line claims, where it can still be read. */
  readonly brokenChain?: string;
  readonly brokenSeq?: number;
  /** With `checkpoint_missing`: the record up to which the log had been signed for, where that is known. */
  readonly signed?: { readonly chain: string; readonly seq: number; readonly hash: string };
}

/**
 * `tail_altered`: the last record does not match its own hash. `tail_unexpected`: it does, but it is not the
 * one that this process wrote last. `checkpoint_missing`: the log lacks a record that a checkpoint covers, or nobody can
 * read any more which one that is.
 */
const chainBreaks = ['tail_altered', 'tail_unexpected', 'checkpoint_missing'] as const;
export type ChainBreak = (typeof chainBreaks)[number];

/**
 * `file_emptied`: under a running process the file was emptied, removed or moved away, and nothing in the directory
 * holds the records before. The chain goes on: with the file put back beside the others, all of it is there.
 */
export const auditAlarms = [...chainBreaks, 'file_emptied'] as const;
export type AuditAlarm = (typeof auditAlarms)[number];

export type LogEvent = LogOpened | LogRecovered | LogResumed | LogTakenOver | ChainBroken;
