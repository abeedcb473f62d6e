/** A place that keeps audit records, and what it reports about itself. */

import { BrokerError } from '../core/errors.ts';
import type { DiskSpace, RoomEvent } from './disk-room.ts';
import type { AuditAlarm } from './log-event.ts';
import type { RecordPurpose } from './record-purpose.ts';

export interface AuditSink {
  readonly name: string;
  /** @throws BrokerError `audit_unavailable` when the sink cannot work without an operator. */
  start(): Promise<void>;
  /**
   * Resolves once the record is kept; records stay in the order of the calls. `fields` comes from
   * record-fields.ts.
   *
   * @throws BrokerError `audit_unavailable` within the sink's deadline.
   */
  append(fields: string): Promise<void>;
  /** Whether the last commit worked and none is overdue. */
  ready(): boolean;
  /** Whether there is room for such a record beside what is kept for more important ones. */
  hasRoomFor(purpose: RecordPurpose): boolean;
  /** What is free where it writes, and how much of that is kept; undefined where that means nothing. */
  room(): DiskSpace | undefined;
  /** Records that wait to be kept, those being written included. */
  waiting(): number;
  /** Writes what is queued, within the deadline, and lets go of the sink. */
  stop(): Promise<void>;
}

/**
 * `deadline`: not kept in time. `refused`: the sink is known not to work. `queue_full`: too much is waiting.
 * `no_room`: the rest of the disk is kept for more important records. `write_failed`: the write or its sync
 * failed. `rotation_failed`: the file could not be changed over and goes on growing; no record is affected.
 */
export const auditFailureReasons = [
  'deadline',
  'refused',
  'queue_full',
  'no_room',
  'write_failed',
  'rotation_failed',
] as const;
export type AuditFailureReason = (typeof auditFailureReasons)[number];

export interface AuditCommitEvent {
  readonly sink: string;
  readonly records: number;
  readonly durationMs: number;
}

export interface AuditFailureEvent {
  readonly sink: string;
  readonly reason: AuditFailureReason;
  /** How many records were not accepted. */
  readonly records: number;
  /** System error code such as ENOSPC, where there is one. */
  readonly errorCode?: string | undefined;
}

/** Someone should look: the log on disk is not what was written. */
export interface AuditAlarmEvent {
  readonly sink: string;
  readonly reason: AuditAlarm;
  readonly file: string;
}

export interface AuditObserver {
  onCommit?(event: AuditCommitEvent): void;
  onFailure?(event: AuditFailureEvent): void;
  onAlarm?(event: AuditAlarmEvent): void;
  /** The disk fills up, or there is space again. */
  onRoom?(event: RoomEvent & { readonly sink: string }): void;
}

export function auditUnavailable(cause?: unknown): BrokerError {
  return new BrokerError('audit_unavailable', {
    detail:
      'The audit log does not accept records, so nothing is given out. Try again later; if it lasts, tell the operators of this service.',
    ...(cause === undefined ? {} : { cause }),
  });
}
