/** What the local DynamoDB does itself, and what it hands on. */

import { isJsonObject } from '../../src/kit/json/json-object.ts';
import type { RawRequest, Store } from './dynamodb-store.ts';
import type { TableSettings } from './dynamodb-table-settings.ts';
import type { Transactions } from './dynamodb-transactions.ts';
import type { Answer, Item, RawAnswer } from './dynamodb-wire.ts';
import { DynamoDbError, encodeAnswer, modelledError, parseInput } from './dynamodb-wire.ts';

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
  'GetItem',
  'ListTables',
  'ListTagsOfResource',
  'Query',
  'Scan',
]);

/** It takes one or two. */
const maxLooks = 1000;

export class LocalOperations {
  readonly #store: Store;
  readonly #transactions: Transactions;
  readonly #own: ReadonlyMap<string, Operation>;

  constructor({ store, transactions, settings }: LocalOperationsOptions) {
    this.#store = store;
    this.#transactions = transactions;
    this.#own = new Map<string, Operation>([
      ['TransactWriteItems', (input) => transactions.write(input)],
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
    if (operation === 'CreateTable' && answer.status === 200) {
      await this.#settle(tableNameOf(parseInput(request.body)));
    }
    return answer;
  }

  /**
   * Waits out the moment for which dynalite leaves a table CREATING: requests that follow find it, and a process
   * that ends now leaves no table in between.
   */
  async #settle(name: string): Promise<void> {
    for (let look = 0; look < maxLooks; look++) {
      const { Table: table } = await this.#store.call('DescribeTable', { TableName: name });
      if (isJsonObject(table) && table['TableStatus'] === 'ACTIVE') return;
    }
    throw new Error('the table does not settle');
  }

  /** The table's name; the backup operations have an exception of their own for a table that is not there. */
  async #backedUpTable(input: Item): Promise<string> {
    const name = tableNameOf(input);
    try {
      await this.#store.call('DescribeTable', { TableName: name });
      return name;
    } catch (error) {
      if (!isMissingTable(error)) throw error;
      throw modelledError('TableNotFoundException', {
        message: `Table not found: ${name}`,
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
