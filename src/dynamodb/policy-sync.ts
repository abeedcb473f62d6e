/**
 * Keeps the policy in memory equal to the table: polls its revision, applies the change log, and reads
 * everything again now and then. Whatever goes wrong, the last good policy stays in force until it is too old.
 */

import { BrokerError } from '../core/errors.ts';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import type { PolicySnapshot } from '../core/policy/policy-snapshot.ts';
import type { PolicySource } from '../core/ports.ts';
import type { Clock, Timer } from '../kit/timing/clock.ts';
import { inTurns } from '../kit/timing/in-turns.ts';
import { sleep } from '../kit/timing/sleep.ts';
import { isIncompleteRead } from './change-log.ts';
import { type PolicyState, policyState, withChain, withWriteId } from './policy-state.ts';
import {
  followLog,
  judgeReload,
  type NextPolicy,
  type PolicyTable,
  type SealCheck,
  takeAsFound,
} from './policy-steps.ts';
import {
  Alarms,
  type PolicyAlarm,
  type PolicySyncObserver,
  type PollResult,
} from './policy-sync-observer.ts';
import { type PolicyRow, type QuarantineReport, quarantineReport } from './quarantine.ts';
import { ReloadSchedule } from './reload-schedule.ts';
import type { ValidRow } from './role-mapping-item.ts';
import { Serial } from './serial.ts';
import { SnapshotKeeper } from './snapshot-keeper.ts';
import type { TableSeal } from './table-seal.ts';

export type PolicySeal = SealCheck & Pick<TableSeal, 'remember'>;

export interface PolicySyncOptions {
  readonly table: PolicyTable;
  readonly rules: MappingRules;
  readonly clock: Clock;
  readonly random?: () => number;
  /** Default: nothing is kept for a restart while the table is away. */
  readonly snapshotFile?: string | undefined;
  /** Release and commit of this program: a snapshot file that it wrote itself is not checked twice. Default: it is. */
  readonly program?: string | undefined;
  /** How long the policy holds without hearing from the table. Default 4 h, at most 24 h. */
  readonly maxAgeSeconds?: number;
  /** Default 2 s. */
  readonly pollIntervalMs?: number;
  /** Between complete reads. Default 600. */
  readonly reloadSeconds?: number;
  /** Takes the table as the first load finds it: with fewer rows, with a lower revision. Default false. */
  readonly acceptShrink?: boolean;
  /** Absent: the change log is not sealed. */
  readonly seal?: PolicySeal | undefined;
  readonly observer?: PolicySyncObserver;
}

const maxMaxAgeSeconds = 24 * 60 * 60;
/** A start must not wait longer for the table when there is a snapshot file to start from. */
const startPatienceMs = 1_500;
/** Clocks of honest machines differ by less. */
const clockSkewMs = 60_000;
export class PolicySync implements PolicySource {
  readonly #options: Required<Omit<PolicySyncOptions, 'snapshotFile' | 'program' | 'seal'>>;
  readonly #seal: PolicySeal | undefined;
  readonly #clock: Clock;
  readonly #alarms: Alarms;
  readonly #keeper: SnapshotKeeper | undefined;
  /** Steps that read and then replace the state. */
  readonly #steps = new Serial();

  #state: PolicyState | undefined;
  /** Monotonic instant at which the table last confirmed `#state`. */
  #contactAt = Number.NEGATIVE_INFINITY;
  /** From the snapshot file, too old to be in force: what the table is compared with all the same. */
  #remembered: PolicyState | undefined;
  #acceptAsFound: boolean;

  #timer: Timer | undefined;
  readonly #stopping = new AbortController();
  #polling: Promise<void> | undefined;
  #reloading: Promise<PollResult> | undefined;
  readonly #reloads: ReloadSchedule;

  constructor({ snapshotFile, program, seal, ...options }: PolicySyncOptions) {
    this.#seal = seal;
    this.#options = {
      random: Math.random,
      maxAgeSeconds: 4 * 60 * 60,
      pollIntervalMs: 2_000,
      reloadSeconds: 600,
      acceptShrink: false,
      observer: {},
      ...options,
    };
    if (!(this.#options.maxAgeSeconds <= maxMaxAgeSeconds)) {
      throw new RangeError('maxAgeSeconds must be at most 24 hours');
    }
    const { rules, clock, random, observer, acceptShrink, reloadSeconds } = this.#options;
    this.#clock = clock;
    this.#reloads = new ReloadSchedule({ intervalMs: reloadSeconds * 1000, random });
    this.#alarms = new Alarms(observer);
    this.#acceptAsFound = acceptShrink;
    if (snapshotFile === undefined) return;
    const onWritten = (result: 'written' | 'failed', error?: unknown) => {
      if (result === 'failed') observer.onSnapshotFileFailed?.({ operation: 'write', error });
      this.#alarms.set('snapshot_file_unwritable', result === 'failed');
      if (result === 'written') this.#alarms.set('snapshot_file_unusable', false);
    };
    const onForged = (id: string) => {
      const error = new Error(`${id}: the mapping was never checked, so it denies`);
      observer.onSnapshotFileFailed?.({ operation: 'read', error });
      this.#alarms.set('snapshot_file_unusable', true);
    };
    const { table } = this.#options;
    const reading = { rules, program, place: () => table.place(), onForged };
    this.#keeper = new SnapshotKeeper({ path: snapshotFile, reading, clock, onWritten });
  }

  /**
   * Resolves once a policy is in force, from the table or else from the snapshot file, or once it is clear that
   * there is none yet; then `current()` throws and the table is asked again until it answers. Never rejects.
   */
  async start(): Promise<void> {
    const saved = await this.#readSnapshotFile();
    const firstPoll = this.refresh();
    if (saved?.fresh === true) await Promise.race([firstPoll, sleep(this.#clock, startPatienceMs)]);
    else await firstPoll;
    if (saved?.fresh === true && this.#state === undefined) {
      this.#contactAt = saved.contactAt;
      this.#use(saved.state, this.#clock.monotonic());
    }
    void firstPoll.then(() => this.#schedule());
  }

  /** Writes the snapshot file; what a poll under way still brings is dropped. The policy stays readable. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    await this.#keeper?.flush();
  }

  current(): PolicySnapshot {
    if (this.#state === undefined) {
      throw new BrokerError('policy_unavailable', {
        detail:
          'This instance has not been able to read the role-mapping table yet. Try again, or ask another instance.',
      });
    }
    if (this.#ageMs() > this.#options.maxAgeSeconds * 1000) {
      throw new BrokerError('policy_stale', {
        detail:
          'The role-mapping table has not been readable for too long. Operators: see the alarms of this instance and docs/table.md.',
      });
    }
    return this.#state.snapshot;
  }

  /**
   * Polls once, now: afterwards an edit that was acknowledged before the call is in force. Never rejects: if
   * the table does not answer, the policy stays as it was, and `onPoll` says so.
   */
  async refresh(): Promise<void> {
    // A poll under way may have looked before the edit.
    await this.#polling;
    this.#polling ??= this.#poll().finally(() => {
      this.#polling = undefined;
    });
    await this.#polling;
  }

  /** Of the policy in force; undefined before there is one. */
  get revision(): number | undefined {
    return this.#state?.revision;
  }

  /** Since the table last confirmed the policy in force; undefined before there is one. */
  ageSeconds(): number | undefined {
    return this.#state && this.#ageMs() / 1000;
  }

  /** Alarms that are on. */
  get alarms(): readonly PolicyAlarm[] {
    return this.#alarms.active;
  }

  /** Rows that cannot be read, and what stands in for each. */
  quarantined(): readonly QuarantineReport[] {
    return Array.from(this.#state?.quarantined.values() ?? [], quarantineReport);
  }

  #schedule(): void {
    if (this.#stopping.signal.aborted) return;
    // Replicas that start together must not poll together for ever.
    const delayMs = this.#options.pollIntervalMs * (0.9 + 0.1 * this.#options.random());
    this.#timer = this.#clock.after(delayMs, () => {
      void this.refresh().then(() => this.#schedule());
    });
  }

  async #poll(): Promise<void> {
    const startedAt = this.#clock.monotonic();
    let outcome = await this.#steps.run(() => this.#follow(startedAt));
    if (outcome === 'behind') outcome = await this.#reloadUnlessTooSoon();
    // Not awaited: reading everything takes long, and edits must be seen meanwhile.
    else if (outcome !== 'failed' && this.#reloads.isDue(startedAt)) {
      void this.#reloadUnlessTooSoon();
    }
    const durationMs = this.#clock.monotonic() - startedAt;
    this.#options.observer.onPoll?.({ result: outcome, durationMs });
  }

  async #follow(startedAt: number): Promise<PollResult | 'behind'> {
    if (this.#state === undefined) return 'behind';
    return await this.#take(
      'applied',
      startedAt,
      followLog(this.#options.table, this.#state, this.#seal),
    );
  }

  async #reloadUnlessTooSoon(): Promise<PollResult> {
    if (this.#reloading !== undefined) return await this.#reloading;
    if (this.#reloads.isTooSoon(this.#clock.monotonic())) return 'refused';
    this.#reloading = this.#reload().finally(() => {
      this.#reloading = undefined;
    });
    return await this.#reloading;
  }

  async #reload(): Promise<PollResult> {
    const startedAt = this.#clock.monotonic();
    const known = this.#state ?? this.#remembered;
    const loading = this.#options.table.loadAll({
      known: (id) => validRow(known?.rows.get(id)),
      acceptMissingRows: this.#acceptAsFound,
      signal: this.#stopping.signal,
    });
    let unexplained: readonly string[] = [];
    const adopt = async (): Promise<NextPolicy> => {
      const loaded = await loading;
      const base = this.#state ?? this.#remembered;
      const { table } = this.#options;
      const seal = this.#seal;
      const reload = { loaded, base, revisionBefore: known?.revision ?? 0, seal };
      if (this.#acceptAsFound) return await takeAsFound(table, reload);
      const next = await judgeReload(table, reload);
      if (next.kind === 'next') unexplained = next.unexplained ?? [];
      return next;
    };
    // Only the last part must not run beside a poll.
    await loading.catch(() => {});
    const outcome = await this.#steps.run(() => this.#take('reloaded', startedAt, adopt()));
    const result = outcome === 'behind' ? 'refused' : outcome;
    if (result === 'reloaded') {
      this.#reloads.succeeded(this.#clock.monotonic());
      this.#acceptAsFound = false;
      for (const alarm of endedByReload) this.#alarms.set(alarm, false);
      this.#alarms.set('unexplained_rows', unexplained.length > 0);
      if (unexplained.length > 0) this.#options.observer.onUnexplained?.(unexplained);
    } else if (result === 'refused') this.#reloads.refused(this.#clock.monotonic());
    return result;
  }

  /** Puts the next policy in force, or says why there is none. */
  async #take(
    done: 'applied' | 'reloaded',
    startedAt: number,
    coming: Promise<NextPolicy>,
  ): Promise<PollResult | 'behind'> {
    let next: NextPolicy;
    try {
      next = await coming;
    } catch (error) {
      if (!isIncompleteRead(error)) return this.#failed(error);
      next = { kind: 'refused', alarm: 'incomplete_read' };
    }
    if (this.#stopping.signal.aborted) return 'failed';
    switch (next.kind) {
      case 'behind':
      case 'refused':
        if (next.alarm !== undefined) this.#alarms.set(next.alarm, true);
        return next.kind;
      case 'unchanged':
        this.#confirmed(startedAt, false);
        return 'unchanged';
      case 'next':
        this.#use(next.state, startedAt, next.editedAt);
        this.#confirmed(startedAt, true);
        return done;
    }
  }

  #failed(error: unknown): 'failed' {
    // A load that was given up because of stop() is no failure.
    if (!this.#stopping.signal.aborted) this.#options.observer.onFailure?.(error);
    return 'failed';
  }

  #use(state: PolicyState, startedAt: number, editedAt?: number): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#remembered = undefined;
    this.#alarms.set('quarantine', state.quarantined.size > 0);
    this.#options.observer.onApplied?.({
      revision: state.revision,
      mappings: state.snapshot.byId.size,
      quarantined: state.quarantined.size,
      loadMs: this.#clock.monotonic() - startedAt,
      lagMs: editedAt === undefined ? undefined : this.#clock.now() - editedAt,
    });
  }

  /** The state is that of the table, or was when it was asked. */
  #confirmed(askedAt: number, changed: boolean): void {
    // A reload asked long ago, and polls have asked since.
    this.#contactAt = Math.max(this.#contactAt, askedAt);
    for (const alarm of endedByContact) this.#alarms.set(alarm, false);
    if (this.#state === undefined) return;
    const { revision, rows, chain, writeId } = this.#state;
    const contactAt = Math.round(this.#clock.now() - this.#ageMs());
    this.#keeper?.keep({ revision, rows, contactAt, chain, writeId }, changed);
  }

  /** The policy of the last run, and whether it may be used without the table. */
  async #readSnapshotFile() {
    const content = await this.#keeper?.read();
    if (content?.kind === 'unusable') {
      const { error } = content;
      this.#options.observer.onSnapshotFileFailed?.({ operation: 'read', error });
    }
    this.#alarms.set('snapshot_file_unusable', content?.kind === 'unusable');
    if (content?.kind !== 'read') return undefined;
    const { revision, rows, contactAt, chain, writeId, tableNamed } = content.policy;
    const policy = await inTurns(policyState(revision, rows));
    const read = withWriteId(withChain(policy, chain), writeId);
    const state: PolicyState = tableNamed ? read : { ...read, ofUnknownTable: true };
    // Where a lower revision is accepted, changes go on from there.
    if (this.#seal?.isOurs(chain) && !this.#acceptAsFound) this.#seal.remember(chain);
    const ageMs = this.#clock.now() - contactAt;
    this.#remembered = state;
    const fresh = ageMs >= -clockSkewMs && ageMs <= this.#options.maxAgeSeconds * 1000;
    return { state, fresh, contactAt: this.#clock.monotonic() - Math.max(0, ageMs) };
  }

  #ageMs(): number {
    return this.#clock.monotonic() - this.#contactAt;
  }
}

const endedByContact: readonly PolicyAlarm[] = ['rolled_back', 'change_log_gap', 'seal_broken'];
const endedByReload: readonly PolicyAlarm[] = ['shrunk', 'incomplete_read'];

function validRow(row: PolicyRow | undefined): ValidRow | undefined {
  return row?.kind === 'valid' ? row : undefined;
}
