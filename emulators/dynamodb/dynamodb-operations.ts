/** What the local DynamoDB does itself, and what it hands on. */

import type { RawRequest, Store } from './dynamodb-store.ts';
import type { TableSettings } from './dynamodb-table-settings.ts';
import type { Transactions } from './dynamodb-transactions.ts';
import type { Answer, Item, RawAnswer } from './dynamodb-wire.ts';
import {
  DynamoDbError,
  encodeAnswer,
  isObject,
  modelledError,
  parseInput,
} from './dynamodb-wire.ts';

export interface LocalOperationsOptions {
  readonly store: Store;
  readonly transactions: Transactions;
  readonly settings: TableSettings;
}

type Operation = (input: Item) => Promise<Answer>;

const readOperations: ReadonlySet<string> = new Set([
  'BatchGetItem',
  'DescribeContinuousBackups',
  'DescribeTable',
  'DescribeTimeToLive',
  'GetItem',
  'ListTables',
  'ListTagsOfResource',
  'Query',
  'Scan',
  'TransactGetItems',
]);

/** It takes one or two. */
const maxLooks = 1000;

const tableOperations: ReadonlySet<string> = new Set(['CreateTable', 'DeleteTable', 'UpdateTable']);

export class LocalOperations {
  readonly #store: Store;
  readonly #transactions: Transactions;
  readonly #settings: TableSettings;
  readonly #own: ReadonlyMap<string, Operation>;

  constructor({ store, transactions, settings }: LocalOperationsOptions) {
    this.#store = store;
    this.#transactions = transactions;
    this.#settings = settings;
    this.#own = new Map<string, Operation>([
      ['TransactWriteItems', (input) => transactions.write(input)],
      ['TransactGetItems', (input) => transactions.get(input)],
      [
        'DescribeTimeToLive',
        async (input) => settings.describeTimeToLive(await this.#table(input)),
      ],
      [
        'UpdateTimeToLive',
        async (input) => settings.updateTimeToLive(await this.#table(input), input),
      ],
      [
        'DescribeContinuousBackups',
        async (input) => settings.describeContinuousBackups(await this.#backedUpTable(input)),
      ],
      [
        'UpdateContinuousBackups',
        async (input) => settings.updateContinuousBackups(await this.#backedUpTable(input), input),
      ],
    ]);
  }

  /** True for operations that may run beside each other. */
  isRead(operation: string | undefined): boolean {
    return operation !== undefined && readOperations.has(operation);
  }

  async run(operation: string | undefined, request: RawRequest): Promise<RawAnswer> {
    if (this.#transactions.inDoubt) throw new Error('a transaction broke off; restart the server');
    const own = operation === undefined ? undefined : this.#own.get(operation);
    if (own) return encodeAnswer(await answerOf(own, request));
    const answer = await this.#store.forward(request);
    if (answer.status === 400) return this.#withOldItem(operation, request, answer);
    const changesTable = operation !== undefined && tableOperations.has(operation);
    if (changesTable && answer.status === 200) {
      const name = tableNameOf(parseInput(request.body));
      await this.#settle(name);
      if (operation === 'DeleteTable') this.#settings.forget(name);
    }
    return answer;
  }

  /**
   * Waits out the moment for which dynalite leaves a table CREATING, UPDATING or DELETING: requests that
   * follow find the change made, and a process that ends now leaves no table in between.
   */
  async #settle(name: string): Promise<void> {
    for (let look = 0; look < maxLooks; look++) {
      const status = await this.#statusOf(name);
      if (status === undefined || status === 'ACTIVE') return;
    }
    throw new Error('the table does not settle');
  }

  async #statusOf(name: string): Promise<unknown> {
    try {
      const { Table: table } = await this.#store.call('DescribeTable', { TableName: name });
      return isObject(table) ? table['TableStatus'] : undefined;
    } catch (error) {
      if (isMissingTable(error)) return undefined;
      throw error;
    }
  }

  /** Adds the item to a failed condition where `ReturnValuesOnConditionCheckFailure` asks for it. */
  async #withOldItem(
    operation: string | undefined,
    request: RawRequest,
    answer: RawAnswer,
  ): Promise<RawAnswer> {
    const body = parseInput(answer.body);
    if (!String(body['__type']).endsWith('#ConditionalCheckFailedException')) return answer;
    const input = parseInput(request.body);
    if (input['ReturnValuesOnConditionCheckFailure'] !== 'ALL_OLD') return answer;
    const { Item: item } = await this.#store.call('GetItem', {
      TableName: tableNameOf(input),
      Key: operation === 'PutItem' ? await this.#keyOf(input) : input['Key'],
      ConsistentRead: true,
    });
    return encodeAnswer({ status: 400, body: item ? { ...body, Item: item } : body });
  }

  async #keyOf(put: Item): Promise<Item> {
    const { Table: table } = await this.#store.call('DescribeTable', {
      TableName: tableNameOf(put),
    });
    const schema = (table as { KeySchema: readonly { AttributeName: string }[] }).KeySchema;
    const item = put['Item'];
    const attributes = isObject(item) ? item : {};
    return Object.fromEntries(
      schema.map(({ AttributeName }) => [AttributeName, attributes[AttributeName]]),
    );
  }

  /** The table's name, once it is known to exist. */
  async #table(input: Item): Promise<string> {
    const name = tableNameOf(input);
    await this.#store.call('DescribeTable', { TableName: name });
    return name;
  }

  /** As `#table`; the backup operations have an exception of their own for a table that is not there. */
  async #backedUpTable(input: Item): Promise<string> {
    try {
      return await this.#table(input);
    } catch (error) {
      if (!isMissingTable(error)) throw error;
      throw modelledError('TableNotFoundException', {
        message: `Table not found: ${tableNameOf(input)}`,
      });
    }
  }
}

async function answerOf(operation: Operation, { headers, body }: RawRequest): Promise<Answer> {
  if (!headers.authorization?.startsWith('AWS4-')) {
    const type = 'com.amazon.coral.service#MissingAuthenticationTokenException';
    const message = 'Request is missing Authentication Token';
    return { status: 400, body: { __type: type, message } };
  }
  try {
    return await operation(parseInput(body));
  } catch (error) {
    if (error instanceof DynamoDbError) return error.answer;
    throw error;
  }
}

function tableNameOf(input: Item): string {
  const name = input['TableName'];
  return typeof name === 'string' ? name : '';
}

function isMissingTable(error: unknown): boolean {
  return (
    error instanceof DynamoDbError &&
    String(error.answer.body['__type']).endsWith('#ResourceNotFoundException')
  );
}
