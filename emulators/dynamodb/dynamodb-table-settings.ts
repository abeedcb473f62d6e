/**
 * Point-in-time recovery and deletion protection of tables, as settings that can be made and read. Nothing can be restored, and
 * nothing is protected.
 */

import { isJsonObject } from '../../src/kit/json/json-object.ts';
import type { Clock } from '../../src/kit/timing/clock.ts';
import { readStateText, writeStateText } from '../state-file.ts';
import type { DynamoDbAnswer, Members } from './dynamodb-wire.ts';
import { validationError } from './dynamodb-wire.ts';

interface Settings {
  readonly protected?: boolean;
  readonly recovery?: { readonly sinceMs: number; readonly days: number } | undefined;
}

export interface TableSettingsOptions {
  readonly clock: Clock;
  /** Absent: in memory. */
  readonly file?: string | undefined;
}

const defaultRecoveryDays = 35;
/** The latest point to which a table can be restored is about five minutes ago. */
const recoveryLagMs = 5 * 60_000;

export class TableSettings {
  readonly #clock: Clock;
  readonly #file: string | undefined;
  readonly #byTable: Map<string, Settings>;

  constructor({ clock, file }: TableSettingsOptions) {
    this.#clock = clock;
    this.#file = file;
    const text = file === undefined ? undefined : readStateText(file);
    const kept = text === undefined ? {} : (JSON.parse(text) as Record<string, Settings>);
    this.#byTable = new Map(Object.entries(kept));
  }

  describeContinuousBackups(table: string): DynamoDbAnswer {
    return { status: 200, body: { ContinuousBackupsDescription: this.#backups(table) } };
  }

  updateContinuousBackups(table: string, input: Members): DynamoDbAnswer {
    const specification = input['PointInTimeRecoverySpecification'];
    const { PointInTimeRecoveryEnabled: enabled, RecoveryPeriodInDays: days } = isJsonObject(
      specification,
    )
      ? specification
      : {};
    if (typeof enabled !== 'boolean') {
      throw validationError('PointInTimeRecoverySpecification needs PointInTimeRecoveryEnabled');
    }
    const sinceMs = this.#of(table).recovery?.sinceMs ?? this.#clock.now();
    const period = typeof days === 'number' ? days : defaultRecoveryDays;
    this.#set(table, {
      ...this.#of(table),
      recovery: enabled ? { sinceMs, days: period } : undefined,
    });
    return { status: 200, body: { ContinuousBackupsDescription: this.#backups(table) } };
  }

  isProtected(table: string): boolean {
    return this.#of(table).protected === true;
  }

  protect(table: string, on: boolean): void {
    this.#set(table, { ...this.#of(table), protected: on });
  }

  #of(table: string): Settings {
    return this.#byTable.get(table) ?? {};
  }

  #set(table: string, change: Settings): void {
    this.#byTable.set(table, change);
    this.#save();
  }

  #save(): void {
    if (this.#file === undefined) return;
    writeStateText(this.#file, `${JSON.stringify(Object.fromEntries(this.#byTable))}\n`);
  }

  #backups(table: string): Members {
    const { recovery } = this.#of(table);
    const latestMs = Math.max(recovery?.sinceMs ?? 0, this.#clock.now() - recoveryLagMs);
    const description = recovery
      ? {
          PointInTimeRecoveryStatus: 'ENABLED',
          RecoveryPeriodInDays: recovery.days,
          EarliestRestorableDateTime: recovery.sinceMs / 1000,
          LatestRestorableDateTime: latestMs / 1000,
        }
      : { PointInTimeRecoveryStatus: 'DISABLED' };
    return { ContinuousBackupsStatus: 'ENABLED', PointInTimeRecoveryDescription: description };
  }
}
