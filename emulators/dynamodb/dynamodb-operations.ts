/** What the local DynamoDB does itself, and what it hands on. */

import { isJsonObject } from '../../src/kit/json/json-object.ts';
import type { Store } from './dynamodb-store.ts';
import type { TableSettings } from './dynamodb-table-settings.ts';
import type { Transactions } from './dynamodb-transactions.ts';
import type { DynamoDbAnswer, Members, RawAnswer, RawRequest } from './dynamodb-wire.ts';
import { DynamoDbError, encodeAnswer, modelledError, parseInput } from './dynamodb-wire.ts';

export interface LocalOperationsOptions {
  readonly store: Store;
  readonly transactions: Transactions;
  readonly settings: TableSettings;
}

type Operation = (input: Members) => Promise<DynamoDbAnswer>;

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
  readonly #settings: TableSettings;
  readonly #own: ReadonlyMap<string, Operation>;

  constructor({ store, transactions, settings }: LocalOperationsOptions) {
    this.#store = store;
    this.#transactions = transactions;
    this.#settings = settings;
    this.#own = new Map<string, Operation>([
      ['DescribeTable', (input) => this.#describeTable(input)],
      ['UpdateTable', (input) => this.#updateTable(input)],
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
    return encodeAnswer(await answerOf(this.#named(operation), request));
  }

  #named(name = ''): Operation | undefined {
    const ofStore = this.#store.dynalite.operations.has(name);
    return this.#own.get(name) ?? (ofStore ? (input) => this.#ofStore(name, input) : undefined);
  }

  async #ofStore(operation: string, input: Members): Promise<DynamoDbAnswer> {
    if (operation !== 'CreateTable') {
      return { status: 200, body: await this.#store.call(operation, input) };
    }
    const protect = input['DeletionProtectionEnabled'] === true;
    // The table that dynalite tells of goes on changing.
    const body = structuredClone(await this.#store.call(operation, input));
    this.#settings.protect(tableNameOf(input), protect);
    await this.#settle(tableNameOf(input));
    return { status: 200, body };
  }

  async #describeTable(input: Members): Promise<DynamoDbAnswer> {
    const { Table: table } = await this.#store.call('DescribeTable', input);
    const DeletionProtectionEnabled = this.#settings.isProtected(tableNameOf(input));
    return { status: 200, body: { Table: { ...(table as Members), DeletionProtectionEnabled } } };
  }

  /** Deletion protection is ours, the rest is the store's. */
  async #updateTable({
    DeletionProtectionEnabled: on,
    ...input
  }: Members): Promise<DynamoDbAnswer> {
    if (typeof on !== 'boolean') {
      return { status: 200, body: await this.#store.call('UpdateTable', input) };
    }
    this.#settings.protect(tableNameOf(input), on);
    const { body } = await this.#describeTable({ TableName: tableNameOf(input) });
    return { status: 200, body: { TableDescription: body['Table'] } };
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
  async #backedUpTable(input: Members): Promise<string> {
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

async function answerOf(
  operation: Operation | undefined,
  { headers, body }: RawRequest,
): Promise<DynamoDbAnswer> {
  if (operation === undefined) {
    return { status: 400, body: { __type: 'com.amazon.coral.service#UnknownOperationException' } };
  }
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

function tableNameOf(input: Members): string {
  const name = input['TableName'];
  return typeof name === 'string' ? name : '';
}

function isMissingTable(error: unknown): boolean {
  return (
    error instanceof DynamoDbError &&
    String(error.answer.body['__type']).endsWith('#ResourceNotFoundException')
  );
}
