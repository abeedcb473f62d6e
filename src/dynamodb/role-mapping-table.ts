/** The role-mapping table in DynamoDB: the source of truth for the policy. docs/table.md has its layout. */

import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type {
  MappingEdit,
  MappingVersion,
  MappingWritten,
} from '../core/editing/mapping-history.ts';
import type { ProposalStore } from '../core/editing/ports.ts';
import { BrokerError } from '../core/errors.ts';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import { isMappingId } from '../core/policy/role-mapping.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { type BaseRow, readBaseRow } from './base-row.ts';
import { readChanges } from './change-log.ts';
import { createTable, type TableProtection } from './create-table.ts';
import { readText } from './item-attributes.ts';
import { type LoggedRange, type LoggedRows, readLoggedRows } from './logged-rows.ts';
import { type LoadedMappings, type LoadOptions, loadMappings } from './mapping-loader.ts';
import { type KnownBases, MappingWriter } from './mapping-writer.ts';
import { ProposalTable } from './proposals.ts';
import {
  changeKey,
  currentKey,
  type Head,
  headKey,
  type LoggedChange,
  readHead,
  readVersionItem,
  versionKey,
  versionsBefore,
} from './role-mapping-item.ts';
import { TableCalls, type TableCallsOptions } from './table-calls.ts';
import { placeOf, type TablePlace } from './table-place.ts';
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
  readonly writeTimeoutMs?: number | undefined;
  /** For reading all rows. Default 5 minutes. */
  readonly loadTimeoutMs?: number;
  readonly observer?: TableCallsOptions['observer'];
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
  readonly before?: number | undefined;
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
    observer,
  }: RoleMappingTableOptions) {
    this.#client = client;
    this.#calls = new TableCalls({ client, tableName, clock, callTimeoutMs, observer });
    this.#rules = rules;
    this.#clock = clock;
    this.#loadTimeoutMs = loadTimeoutMs;
    const calls = this.#calls;
    const writing = { calls, clock, random, writeTimeoutMs, seal };
    this.proposals = new ProposalTable(writing);
    this.#writer = new MappingWriter({ ...writing, rules });
  }

  /** Makes the table unless it exists, and waits until it can be used. For local mode and first installation. */
  create(protection: TableProtection = {}): Promise<void> {
    return createTable({ client: this.#client, calls: this.#calls, ...protection });
  }

  /** Ends what is under way: the process does not wait for answers that nobody needs. */
  giveUp(): void {
    this.#calls.giveUp();
  }

  /** Which table it is. Asks nobody. */
  place(): Promise<TablePlace> {
    return placeOf(this.#client, this.#calls.tableName);
  }

  /** Revision of the table; 0 if it was never changed. */
  async head(): Promise<number> {
    return (await this.newest()).revision;
  }

  /** The edit that made the revision of the table, where it has one. */
  async newest(): Promise<Head> {
    return readHead(await this.#calls.get(headKey));
  }

  /** Of the edit that made this revision; undefined where the change log does not have it. */
  async writeIdOf(revision: number): Promise<string | undefined> {
    return readText(await this.#calls.get(changeKey(revision)), 'writeId');
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
    return item && readVersionItem(id, item, this.#rules);
  }

  /** The current version as `get` gives it, and what an edit of it needs besides: in one look. */
  async getBase(id: string): Promise<{ row: BaseRow; current: MappingVersion | undefined }> {
    const row = await readBaseRow(this.#calls, id, this.#rules);
    return { row, current: row.item && readVersionItem(id, row.item, this.#rules) };
  }

  /** Newest first, deletions included; empty for an id that never was. */
  async versions(
    id: string,
    { before = Number.MAX_SAFE_INTEGER, limit = 100 }: VersionsOptions = {},
  ): Promise<readonly MappingVersion[]> {
    if (!isMappingId(id) || before <= 1) return [];
    const items = await this.#calls.query({
      ...versionsBefore(id, before),
      limit,
    });
    return items.map((item) => readVersionItem(id, item, this.#rules));
  }

  /** @throws BrokerError `mapping_not_found` */
  async version(id: string, version: number): Promise<MappingVersion> {
    const item = isMappingId(id) ? await this.#calls.get(versionKey(id, version)) : undefined;
    if (item === undefined) {
      throw new BrokerError('mapping_not_found', {
        detail: 'There is no such version of a role mapping with this id. List its versions.',
      });
    }
    return readVersionItem(id, item, this.#rules);
  }

  /** Creates, replaces or deletes: see MappingWriter.write for what it throws. */
  async write(edit: MappingEdit): Promise<MappingWritten> {
    const [written] = await this.#writer.write([edit]);
    if (written === undefined) throw new TypeError('an edit that was written has a version');
    return written;
  }

  /** All of them or none, in this order: see MappingWriter.write for how many, and what it throws. */
  writeTogether(
    edits: readonly MappingEdit[],
    rows?: KnownBases,
  ): Promise<readonly MappingWritten[]> {
    return this.#writer.write(edits, rows);
  }
}
