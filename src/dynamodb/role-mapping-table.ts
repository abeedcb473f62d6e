/** The role-mapping table in DynamoDB: the source of truth for the policy. docs/table.md has its layout. */

import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { BrokerError } from '../core/errors.ts';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import type {
  MappingEdit,
  MappingVersion,
  MappingWritten,
} from '../core/policy/mapping-history.ts';
import type { ProposalStore } from '../core/ports.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { readChanges } from './change-log.ts';
import { createTable, type TableProtection } from './create-table.ts';
import { type LoggedRange, type LoggedRows, readLoggedRows } from './logged-rows.ts';
import { type LoadedMappings, type LoadOptions, loadMappings } from './mapping-loader.ts';
import { MappingWriter } from './mapping-writer.ts';
import { proposalStore } from './proposals.ts';
import {
  currentKey,
  headKey,
  isMappingId,
  type LoggedChange,
  readHead,
  readVersion,
  versionKey,
} from './role-mapping-item.ts';
import { TableCalls } from './table-calls.ts';
import type { TableSeal } from './table-seal.ts';

export interface RoleMappingTableOptions {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  /** Rows that break these are quarantined; edits that break them are refused. */
  readonly rules: MappingRules;
  readonly clock: Clock;
  readonly random?: () => number;
  /** For one call, tries and finding credentials included. Default 5 s. */
  readonly callTimeoutMs?: number;
  /** For one edit, waiting for other edits included. Default 30 s. */
  readonly writeTimeoutMs?: number;
  /** For reading all rows. Default 5 minutes. */
  readonly loadTimeoutMs?: number;
  /** Absent: changes are not sealed. */
  readonly seal?: TableSeal | undefined;
}

export interface ChangesOptions {
  /** The last revision wanted. Default: that of the table now. */
  readonly through?: number;
  /** At most so many, the oldest ones. Default 1,000. */
  readonly limit?: number;
}

export interface VersionsOptions {
  /** Only older ones than this. Default: all. */
  readonly before?: number;
  /** At most so many, the newest ones. Default 100. */
  readonly limit?: number;
}

/** Every method throws BrokerError `table_unavailable` when DynamoDB fails or does not answer in time. */
export class RoleMappingTable {
  readonly #client: DynamoDBClient;
  readonly #calls: TableCalls;
  readonly #rules: MappingRules;
  readonly #clock: Clock;
  readonly #loadTimeoutMs: number;
  readonly #writer: MappingWriter;
  readonly proposals: ProposalStore;

  constructor({
    client,
    tableName,
    rules,
    clock,
    random = Math.random,
    callTimeoutMs = 5_000,
    writeTimeoutMs = 30_000,
    loadTimeoutMs = 300_000,
    seal,
  }: RoleMappingTableOptions) {
    this.#client = client;
    this.#calls = new TableCalls({ client, tableName, clock, callTimeoutMs });
    this.#rules = rules;
    this.#clock = clock;
    this.#loadTimeoutMs = loadTimeoutMs;
    const calls = this.#calls;
    this.proposals = proposalStore(calls);
    this.#writer = new MappingWriter({ calls, rules, clock, random, writeTimeoutMs, seal });
  }

  /** Makes the table unless it exists, and waits until it can be used. For local mode and first installation. */
  create(protection: TableProtection = {}): Promise<void> {
    return createTable({ client: this.#client, calls: this.#calls, ...protection });
  }

  /** Ends what is under way: the process does not wait for answers that nobody needs. */
  giveUp(): void {
    this.#calls.giveUp();
  }

  /** Revision of the table; 0 if it was never changed. */
  async head(): Promise<number> {
    return readHead(await this.#calls.get(headKey)).revision;
  }

  /** All current mappings, complete and consistent at one revision, or `table_unavailable`. */
  loadAll(options?: LoadOptions): Promise<LoadedMappings> {
    const parts = {
      calls: this.#calls,
      rules: this.#rules,
      clock: this.#clock,
      loadTimeoutMs: this.#loadTimeoutMs,
    };
    return loadMappings(parts, options);
  }

  /** What changed after this revision, oldest first; a missing entry is `table_unavailable`, never left out. */
  async changesSince(
    revision: number,
    { through, limit = 1_000 }: ChangesOptions = {},
  ): Promise<readonly LoggedChange[]> {
    const last = through ?? (await this.head());
    const range = { since: revision, through: Math.min(last, revision + limit) };
    return await readChanges(this.#calls, range, this.#rules);
  }

  /** What the change log says of the rows that it changed in this range; a gap is `table_unavailable`. */
  loggedRows(range: LoggedRange): Promise<LoggedRows> {
    return readLoggedRows(this.#calls, range, this.#rules);
  }

  /** The current version, readable or not; undefined if there is none. */
  async get(id: string): Promise<MappingVersion | undefined> {
    if (!isMappingId(id)) return undefined;
    const item = await this.#calls.get(currentKey(id));
    return item && readVersion(id, item, this.#rules);
  }

  /** Newest first, deletions included; empty for an id that never was. */
  async versions(
    id: string,
    { before = Number.MAX_SAFE_INTEGER, limit = 100 }: VersionsOptions = {},
  ): Promise<readonly MappingVersion[]> {
    if (!isMappingId(id) || before <= 1) return [];
    const items = await this.#calls.query({
      pk: currentKey(id).pk,
      fromSk: versionKey(id, 0).sk,
      toSk: versionKey(id, before - 1).sk,
      descending: true,
      limit,
    });
    return items.map((item) => readVersion(id, item, this.#rules));
  }

  /** @throws BrokerError `mapping_not_found` */
  async version(id: string, version: number): Promise<MappingVersion> {
    const item = isMappingId(id) ? await this.#calls.get(versionKey(id, version)) : undefined;
    if (item === undefined) {
      throw new BrokerError('mapping_not_found', {
        detail: 'There is no such version of a role mapping with this id. List its versions.',
      });
    }
    return readVersion(id, item, this.#rules);
  }

  /** Creates, replaces or deletes: see MappingWriter.write for what it throws. */
  write(edit: MappingEdit): Promise<MappingWritten> {
    return this.#writer.write(edit);
  }
}
