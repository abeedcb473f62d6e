/** Reads and writes of one table with a deadline each; reads are always strongly consistent. */

import {
  type AttributeValue,
  type DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  ScanCommand,
  type TransactWriteItem,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { BrokerError } from '../core/errors.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { withDeadline } from '../kit/timing/with-deadline.ts';

export type Item = Record<string, AttributeValue>;

export interface ItemKey {
  readonly pk: string;
  readonly sk: string;
}

export interface KeyRange {
  readonly pk: string;
  /** Both ends are part of the range. */
  readonly fromSk: string;
  readonly toSk: string;
  /** Default: ascending. */
  readonly descending?: boolean;
  /** Items in all. Default: no limit. */
  readonly limit?: number;
  /** Default: all of them. */
  readonly attributes?: readonly string[] | undefined;
}

/** One call, with all tries of the SDK. */
export interface TableCall {
  readonly table: string;
  /** Such as `GetItem`. */
  readonly operation: string;
  readonly durationMs: number;
  /** If it failed. */
  readonly error?: unknown;
}

export interface TableCallsOptions {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly clock: Clock;
  /** For one call with all the SDK's tries and with finding credentials. */
  readonly callTimeoutMs: number;
  readonly observer?: ((call: TableCall) => void) | undefined;
}

/** What the SDK has thrown in the end, under its own name. */
export class FailedTransaction extends Error {
  override readonly name: string;
  /** What became of the tries before the last one: one of them may have been done, and only the last refused. */
  readonly earlier: readonly unknown[];

  constructor(last: unknown, earlier: readonly unknown[]) {
    const { name, message } = last instanceof Error ? last : new Error(String(last));
    super(message, { cause: last });
    this.name = name;
    this.earlier = earlier;
  }
}

/** Small pages keep the time short for which parsing one holds the event loop; each costs a call of some milliseconds. */
const scanPageItems = 1_000;

export class TableCalls {
  readonly #client: DynamoDBClient;
  readonly #clock: Clock;
  readonly #callTimeoutMs: number;
  readonly #observer: TableCallsOptions['observer'];
  readonly #givenUp = new AbortController();
  readonly tableName: string;

  constructor({ client, tableName, clock, callTimeoutMs, observer }: TableCallsOptions) {
    this.#client = client;
    this.#clock = clock;
    this.tableName = tableName;
    this.#callTimeoutMs = callTimeoutMs;
    this.#observer = observer;
  }

  /** @throws BrokerError `table_unavailable` */
  async get(key: ItemKey): Promise<Item | undefined> {
    const command = new GetItemCommand({
      TableName: this.tableName,
      Key: { pk: { S: key.pk }, sk: { S: key.sk } },
      ConsistentRead: true,
    });
    const { Item } = await this.read('GetItem', (abortSignal) =>
      this.#client.send(command, { abortSignal }),
    );
    return Item;
  }

  /** @throws BrokerError `table_unavailable` */
  async query(range: KeyRange): Promise<Item[]> {
    const { pk, fromSk, toSk, descending = false, limit, attributes } = range;
    const items: Item[] = [];
    let start: Item | undefined;
    do {
      const command = new QueryCommand({
        TableName: this.tableName,
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: {
          ':pk': { S: pk },
          ':from': { S: fromSk },
          ':to': { S: toSk },
        },
        ConsistentRead: true,
        ScanIndexForward: !descending,
        ExclusiveStartKey: start,
        ...(limit === undefined ? {} : { Limit: limit - items.length }),
        ...(attributes === undefined ? {} : projection(attributes)),
      });
      const page = await this.read('Query', (abortSignal) =>
        this.#client.send(command, { abortSignal }),
      );
      items.push(...(page.Items ?? []));
      start = page.LastEvaluatedKey;
    } while (start !== undefined && items.length < (limit ?? Number.POSITIVE_INFINITY));
    return items;
  }

  /**
   * Pages of every item with this sort key; pages may be empty.
   *
   * @throws BrokerError `table_unavailable`
   */
  async *scan(sk: string, attributes: readonly string[]): AsyncGenerator<Item[]> {
    let start: Item | undefined;
    do {
      const command = new ScanCommand({
        TableName: this.tableName,
        FilterExpression: 'sk = :sk',
        ExpressionAttributeValues: { ':sk': { S: sk } },
        ...projection(attributes),
        ConsistentRead: true,
        Limit: scanPageItems,
        ExclusiveStartKey: start,
      });
      const page = await this.read('Scan', (abortSignal) =>
        this.#client.send(command, { abortSignal }),
      );
      yield page.Items ?? [];
      start = page.LastEvaluatedKey;
    } while (start !== undefined);
  }

  /** @throws FailedTransaction: only the writer knows what a failure means for its edit */
  async transact(items: TransactWriteItem[]): Promise<void> {
    const command = new TransactWriteItemsCommand({ TransactItems: items });
    const tries: unknown[] = [];
    command.middlewareStack.add(
      (next) => async (args) => {
        try {
          return await next(args);
        } catch (error) {
          tries.push(error);
          throw error;
        }
      },
      // Within the SDK's retries.
      { name: 'noteTries', step: 'finalizeRequest', priority: 'low' },
    );
    try {
      await this.#send('TransactWriteItems', (abortSignal) =>
        this.#client.send(command, { abortSignal }),
      );
    } catch (error) {
      throw new FailedTransaction(
        error,
        tries.filter((one) => one !== error),
      );
    }
  }

  /**
   * One call under the deadline; `operation` is its name in DynamoDB's API.
   *
   * @throws BrokerError `table_unavailable`
   */
  async read<Output>(
    operation: string,
    call: (signal: AbortSignal) => Promise<Output>,
  ): Promise<Output> {
    try {
      return await this.#send(operation, call);
    } catch (error) {
      throw tableUnavailable(error);
    }
  }

  /** Calls under way reject, and so do all later ones. */
  giveUp(): void {
    this.#givenUp.abort(new Error('the table is no longer needed'));
  }

  async #send<Output>(
    operation: string,
    call: (signal: AbortSignal) => Promise<Output>,
  ): Promise<Output> {
    const observer = this.#observer;
    if (observer === undefined) return await this.#withDeadline(call);
    const startedAt = this.#clock.monotonic();
    const report = (failure: { readonly error?: unknown }) =>
      observer({
        table: this.tableName,
        operation,
        durationMs: this.#clock.monotonic() - startedAt,
        ...failure,
      });
    try {
      const output = await this.#withDeadline(call);
      report({});
      return output;
    } catch (error) {
      report({ error });
      throw error;
    }
  }

  /** The SDK heeds a signal only once it sends; looking for credentials may take long before that. */
  #withDeadline<Output>(call: (signal: AbortSignal) => Promise<Output>): Promise<Output> {
    return withDeadline(
      { clock: this.#clock, timeoutMs: this.#callTimeoutMs, givenUp: this.#givenUp.signal },
      call,
    );
  }
}

/** Some names may be reserved words. */
function projection(attributes: readonly string[]) {
  return {
    ProjectionExpression: attributes.map((_, index) => `#a${index}`).join(', '),
    ExpressionAttributeNames: Object.fromEntries(
      attributes.map((name, index) => [`#a${index}`, name]),
    ),
  };
}

export function tableUnavailable(cause: unknown, detail = adviceFor(cause)): BrokerError {
  return new BrokerError('table_unavailable', { detail, cause });
}

function adviceFor(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'ResourceNotFoundException') {
    return 'The role-mapping table does not exist in the configured region and account. Create it, or correct the configuration.';
  }
  if (name === 'CredentialsProviderError') {
    return 'There are no AWS credentials for the role-mapping table: neither in the environment, nor in shared AWS files, nor of this machine.';
  }
  if (/AccessDenied|UnrecognizedClient|InvalidSignature|ExpiredToken/.test(name)) {
    return 'The broker has no permission for the role-mapping table. docs/table.md lists the IAM actions that its role needs.';
  }
  return 'The role-mapping table did not answer as it should. Try again in a few seconds.';
}
