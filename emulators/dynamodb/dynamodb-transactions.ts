/**
 * TransactWriteItems over a store that has none
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html). The caller holds
 * all other work off while one runs, so there are no conflicts to report.
 *
 * Limits: puts and deletes only; old items are not returned; capacity and item collection metrics are not reported; a cancelled transaction does not use up
 * its client request token; tokens are forgotten on restart.
 */

import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { isJsonObject } from '../../src/kit/json/json-object.ts';

import type { Clock } from '../../src/kit/timing/clock.ts';
import { readStateText, writeStateText } from '../state-file.ts';
import type { ParsedWrite, WriteRefusal, WriteStager } from './dynamodb-staging.ts';
import { isWriteKind } from './dynamodb-staging.ts';
import type { Store } from './dynamodb-store.ts';
import type { DynamoDbAnswer, Members } from './dynamodb-wire.ts';
import { modelledError, validationError } from './dynamodb-wire.ts';

export interface TransactionsOptions {
  readonly store: Store;
  readonly stager: WriteStager;
  readonly clock: Clock;
  /** Where a decided transaction is noted until all its writes are done. Absent: the store is in memory. */
  readonly journalFile?: string | undefined;
}

/** A write whose outcome is settled: applying it twice does no harm. */
interface SettledWrite {
  readonly operation: 'PutItem' | 'DeleteItem';
  readonly input: Members;
}

/** One entry of a transaction with all that its decision needs. */
interface Candidate {
  readonly write: ParsedWrite;
  readonly existing: Members | undefined;
  readonly refusal: WriteRefusal | undefined;
}

const maxItems = 100;
const maxBytes = 4 * 1024 * 1024;
const maxTokenLength = 36;
const tokenLifeMs = 10 * 60_000;
const itemLimitMessage =
  "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: " +
  `Member must have length less than or equal to ${maxItems}, and greater than or equal to 1`;

export class Transactions {
  readonly #store: Store;
  readonly #stager: WriteStager;
  readonly #clock: Clock;
  readonly #journalFile: string | undefined;
  /** Client request token → what it stood for; in order of time. */
  readonly #tokens = new Map<string, { readonly digest: string; readonly committedMs: number }>();
  /** A commit broke off half-way: nothing may be read or written until the journal has been replayed. */
  #inDoubt = false;

  constructor({ store, stager, clock, journalFile }: TransactionsOptions) {
    this.#store = store;
    this.#stager = stager;
    this.#clock = clock;
    this.#journalFile = journalFile;
  }

  get inDoubt(): boolean {
    return this.#inDoubt;
  }

  /** Finishes the transaction that an earlier process had decided but not written whole. */
  async recover(): Promise<void> {
    const text = this.#journalFile === undefined ? undefined : readStateText(this.#journalFile);
    if (text !== undefined) await this.#apply(JSON.parse(text) as readonly SettledWrite[]);
  }

  /** Throws a DynamoDbError for every refusal. */
  async write(input: Members): Promise<DynamoDbAnswer> {
    const entries = transactItems(input);
    const token = tokenOf(input);
    const digest = digestOf(input);
    if (token !== undefined && this.#isRepeat(token, digest)) return { status: 200, body: {} };

    const writes = entries.map((entry) => this.#parse(entry));
    const candidates = await this.#decide(writes);
    if (candidates.some(({ refusal }) => refusal !== undefined)) throw cancelled(candidates);
    this.#checkSize(candidates);
    await this.#commit(writes.map(settled));
    if (token !== undefined) {
      this.#tokens.set(token, { digest, committedMs: this.#clock.now() });
    }
    return { status: 200, body: {} };
  }

  #parse(entry: Members): ParsedWrite {
    const [name, ...others] = Object.keys(entry);
    const write = name === undefined ? undefined : entry[name];
    if (name === undefined || !isWriteKind(name) || others.length > 0 || !isJsonObject(write)) {
      throw validationError('Here TransactItems can only contain one of Put or Delete');
    }
    return this.#stager.parse(name, write);
  }

  async #decide(writes: readonly ParsedWrite[]): Promise<readonly Candidate[]> {
    const tables = await this.#describe(new Set(writes.map(({ tableName }) => tableName)));
    const targets = writes.map((write) => {
      const table = tables.get(write.tableName) as Table;
      return { write, table, key: this.#stager.keyIn(table, write) };
    });
    refuseDuplicates(targets);
    return Promise.all(
      targets.map(async ({ write, table, key }): Promise<Candidate> => {
        if (typeof key !== 'string') return { write, existing: undefined, refusal: key };
        const existing = await this.#read(write, table);
        return { write, existing, refusal: await this.#stager.refusalOf(table, write, existing) };
      }),
    );
  }

  async #describe(names: ReadonlySet<string>): Promise<ReadonlyMap<string, Table>> {
    const described = [...names].map(async (name): Promise<[string, Table]> => {
      const { Table: table } = await this.#store.call('DescribeTable', { TableName: name });
      return [name, table as Table];
    });
    return new Map(await Promise.all(described));
  }

  async #read({ tableName, keyOrItem }: ParsedWrite, table: Table): Promise<Members | undefined> {
    const names = table.KeySchema.map(({ AttributeName }) => AttributeName);
    const { Item: item } = await this.#store.call('GetItem', {
      TableName: tableName,
      Key: Object.fromEntries(names.map((name) => [name, keyOrItem[name]])),
      ConsistentRead: true,
    });
    return item as Members | undefined;
  }

  #checkSize(candidates: readonly Candidate[]): void {
    const sizes = candidates.map(({ write, existing }) => {
      const item = write.kind === 'Put' ? write.keyOrItem : existing;
      return item ? this.#stager.sizeBytes(item) : 0;
    });
    if (sizes.reduce((sum, size) => sum + size, 0) > maxBytes) {
      throw validationError('The items of a transaction together must not exceed 4 MB');
    }
  }

  async #commit(writes: readonly SettledWrite[]): Promise<void> {
    // Noted before the first write: a process that dies between two of them finishes the rest on restart.
    if (this.#journalFile !== undefined) writeStateText(this.#journalFile, JSON.stringify(writes));
    try {
      await this.#apply(writes);
    } catch (cause) {
      this.#inDoubt = true;
      throw new Error('a transaction broke off half-way', { cause });
    }
  }

  async #apply(writes: readonly SettledWrite[]): Promise<void> {
    for (const { operation, input } of writes) await this.#store.call(operation, input);
    if (this.#journalFile !== undefined) rmSync(this.#journalFile, { force: true });
  }

  #isRepeat(token: string, digest: string): boolean {
    const oldestMs = this.#clock.now() - tokenLifeMs;
    for (const [name, { committedMs }] of this.#tokens) {
      if (committedMs > oldestMs) break;
      this.#tokens.delete(name);
    }
    const earlier = this.#tokens.get(token);
    if (earlier && earlier.digest !== digest) {
      throw modelledError('IdempotentParameterMismatchException', {
        Message: 'The client request token was used before with other parameters',
      });
    }
    return earlier !== undefined;
  }
}

interface Table {
  readonly KeySchema: readonly { readonly AttributeName: string }[];
}

function transactItems(input: Members): readonly Members[] {
  const items = input['TransactItems'];
  if (!Array.isArray(items) || items.length === 0 || items.length > maxItems) {
    throw validationError(itemLimitMessage);
  }
  return items.map((entry: unknown) => (isJsonObject(entry) ? entry : {}));
}

function tokenOf(input: Members): string | undefined {
  const token = input['ClientRequestToken'];
  if (token === undefined) return undefined;
  if (typeof token === 'string' && token.length >= 1 && token.length <= maxTokenLength)
    return token;
  throw validationError(`ClientRequestToken must have 1 to ${maxTokenLength} characters`);
}

function digestOf({ ClientRequestToken: _token, ...parameters }: Members): string {
  return createHash('sha256').update(JSON.stringify(parameters, sortMembers)).digest('hex');
}

function sortMembers(_name: string, value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function refuseDuplicates(
  targets: readonly { readonly write: ParsedWrite; readonly key: unknown }[],
): void {
  const seen = new Set<string>();
  for (const { write, key } of targets) {
    if (typeof key !== 'string') continue;
    const name = `${write.tableName}/${key}`;
    if (seen.has(name)) {
      throw validationError('Transaction request cannot include multiple operations on one item');
    }
    seen.add(name);
  }
}

function settled({ kind, tableName, keyOrItem }: ParsedWrite): SettledWrite {
  return kind === 'Put'
    ? { operation: 'PutItem', input: { TableName: tableName, Item: keyOrItem } }
    : { operation: 'DeleteItem', input: { TableName: tableName, Key: keyOrItem } };
}

function cancelled(candidates: readonly Candidate[]): Error {
  const reasons = candidates.map(({ refusal }) =>
    refusal === undefined ? { Code: 'None' } : { Code: refusal.code, Message: refusal.message },
  );
  const codes = reasons.map(({ Code }) => Code).join(', ');
  return modelledError('TransactionCanceledException', {
    Message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    CancellationReasons: reasons,
  });
}
