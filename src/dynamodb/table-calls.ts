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
}

export interface TableCallsOptions {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly clock: Clock;
  /** For one call with all the SDK's tries and with finding credentials. */
  readonly callTimeoutMs: number;
}

/** Small pages keep the time short for which parsing one holds the event loop. */
const scanPageItems = 500;

export class TableCalls {
  readonly #client: DynamoDBClient;
  readonly #clock: Clock;
  readonly #callTimeoutMs: number;
  readonly #givenUp = new AbortController();
  readonly tableName: string;

  constructor({ client, tableName, clock, callTimeoutMs }: TableCallsOptions) {
    this.#client = client;
    this.#clock = clock;
    this.tableName = tableName;
    this.#callTimeoutMs = callTimeoutMs;
  }

  /** @throws BrokerError `table_unavailable` */
  async get(key: ItemKey): Promise<Item | undefined> {
    const command = new GetItemCommand({
      TableName: this.tableName,
      Key: { pk: { S: key.pk }, sk: { S: key.sk } },
      ConsistentRead: true,
    });
    return (await this.read((abortSignal) => this.#client.send(command, { abortSignal }))).Item;
  }

  /** @throws BrokerError `table_unavailable` */
  async query({ pk, fromSk, toSk, descending = false, limit }: KeyRange): Promise<Item[]> {
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
      });
      const page = await this.read((abortSignal) => this.#client.send(command, { abortSignal }));
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
        // Some attribute names may be reserved words.
        ProjectionExpression: attributes.map((_, index) => `#a${index}`).join(', '),
        ExpressionAttributeNames: Object.fromEntries(
          attributes.map((name, index) => [`#a${index}`, name]),
        ),
        ConsistentRead: true,
        Limit: scanPageItems,
        ExclusiveStartKey: start,
      });
      const page = await this.read((abortSignal) => this.#client.send(command, { abortSignal }));
      yield page.Items ?? [];
      start = page.LastEvaluatedKey;
    } while (start !== undefined);
  }

  /** Throws what the SDK throws: only the writer knows what a failure means for its edit. */
  async transact(items: TransactWriteItem[]): Promise<void> {
    const command = new TransactWriteItemsCommand({ TransactItems: items });
    await this.#withDeadline((abortSignal) => this.#client.send(command, { abortSignal }));
  }

  /**
   * One call under the deadline.
   *
   * @throws BrokerError `table_unavailable`
   */
  async read<Output>(call: (signal: AbortSignal) => Promise<Output>): Promise<Output> {
    try {
      return await this.#withDeadline(call);
    } catch (error) {
      throw tableUnavailable(error);
    }
  }

  /** Calls under way reject, and so do all later ones. */
  giveUp(): void {
    this.#givenUp.abort(new Error('the table is no longer needed'));
  }

  /** The SDK heeds a signal only once it sends; looking for credentials may take long before that. */
  #withDeadline<Output>(call: (signal: AbortSignal) => Promise<Output>): Promise<Output> {
    return withDeadline(
      { clock: this.#clock, timeoutMs: this.#callTimeoutMs, givenUp: this.#givenUp.signal },
      call,
    );
  }
}

export function tableUnavailable(cause: unknown, detail = adviceFor(cause)): BrokerError {
  return new BrokerError('table_unavailable', { detail, cause });
}

function adviceFor(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'ResourceNotFoundException') {
    return 'The role-mapping table does not exist in the configured region and account. Create it, or correct the configuration.';
  }
  if (
    /AccessDenied|UnrecognizedClient|InvalidSignature|ExpiredToken|CredentialsProvider/.test(name)
  ) {
    return 'The broker has no permission for the role-mapping table. docs/table.md lists the IAM actions that its role needs.';
  }
  return 'The role-mapping table did not answer as it should. Try again in a few seconds.';
}
