/** What PolicySync tells metrics and logs. All values are from closed sets or numbers, none from a row. */

export const pollResults = [
  /** The policy in force is that of the table. */
  'unchanged',
  /** Changes were applied. */
  'applied',
  /** The whole policy was read again. */
  'reloaded',
  /** DynamoDB did not answer. */
  'failed',
  /** The answer was refused: an alarm says why. */
  'refused',
] as const;
export type PollResult = (typeof pollResults)[number];

export const policyAlarms = [
  /** Rows of the table are not what the change log says of them: somebody wrote around the API (T49). */
  'unexplained_rows',
  /** The change log is not sealed as it should be: somebody wrote to it without the key (T110). */
  'seal_broken',
  /** A reload would have dropped too many rows that no entry of the change log accounts for. */
  'shrunk',
  /** The revision of the table fell (T50). */
  'rolled_back',
  /** A reload did not bring all that the table must hold. */
  'incomplete_read',
  /** The change log does not lead from the policy in force to the head. */
  'change_log_gap',
  /** At least one row cannot be read (T52). */
  'quarantine',
  /** The snapshot file is damaged, of another table or not ours, so it was not used. */
  'snapshot_file_unusable',
  /** The snapshot file cannot be written: a restart during an outage would find an old one. */
  'snapshot_file_unwritable',
] as const;
export type PolicyAlarm = (typeof policyAlarms)[number];

export interface PolicySyncObserver {
  onPoll?(poll: { readonly result: PollResult; readonly durationMs: number }): void;
  /** Why a poll or a reload failed: for the log. */
  onFailure?(error: unknown): void;
  /** Why the snapshot file was not used, or not written: for the log. */
  onSnapshotFileFailed?(failure: {
    readonly operation: 'read' | 'write';
    readonly error: unknown;
  }): void;
  onApplied?(policy: {
    readonly revision: number;
    readonly mappings: number;
    readonly quarantined: number;
    /** From asking the table to having the policy in force. */
    readonly loadMs: number;
    /** From the latest edit to its effect here, by two machines' clocks; absent after a complete read. */
    readonly lagMs?: number | undefined;
  }): void;
  /** When the alarm begins, not each time that its cause is seen again. */
  onAlarm?(alarm: PolicyAlarm): void;
  /** Ids of rows that are not what the change log says, each time that everything was read. */
  onUnexplained?(ids: readonly string[]): void;
  onAlarmOver?(alarm: PolicyAlarm): void;
}

/** Alarms that are on; tells of each beginning and end once. */
export class Alarms {
  readonly #active = new Set<PolicyAlarm>();
  readonly #observer: PolicySyncObserver;

  constructor(observer: PolicySyncObserver) {
    this.#observer = observer;
  }

  get active(): readonly PolicyAlarm[] {
    return [...this.#active];
  }

  set(alarm: PolicyAlarm, on: boolean): void {
    if (on === this.#active.has(alarm)) return;
    if (on) {
      this.#active.add(alarm);
      this.#observer.onAlarm?.(alarm);
    } else {
      this.#active.delete(alarm);
      this.#observer.onAlarmOver?.(alarm);
    }
  }
}
