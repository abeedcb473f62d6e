/**
 * Says whether a put or a delete of a transaction could be done, without doing it. dynalite's own actions run against
 * a store of one item that swallows the write, so conditions mean here exactly what they mean there.
 */

import type { Item } from './dynamodb-wire.ts';
import { DynamoDbError } from './dynamodb-wire.ts';

const kinds = ['Put', 'Delete'] as const;
export type WriteKind = (typeof kinds)[number];

/** One entry of TransactItems that passed every check that needs neither table nor item. */
export interface ParsedWrite {
  readonly kind: WriteKind;
  readonly tableName: string;
  /** The item of a Put, the key of a Delete. */
  readonly keyOrItem: Item;
  /** The input as dynalite's action takes it, expressions parsed. */
  readonly input: Item;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

export interface WriteStager {
  /** Throws a DynamoDbError for a write that is wrong in itself. */
  parse(kind: WriteKind, entry: Item): ParsedWrite;
  /** Identifies the item within its table; or why the table cannot hold it. */
  keyIn(table: object, write: ParsedWrite): string | Refusal;
  /** Undefined: it could be done. */
  refusalOf(
    table: object,
    write: ParsedWrite,
    existing: Item | undefined,
  ): Promise<Refusal | undefined>;
  sizeBytes(item: Item): number;
}

/** What transactions take of each write; legacy parameters such as `Expected` are not among them. */
const members = [
  'TableName',
  'Item',
  'Key',
  'ConditionExpression',
  'ExpressionAttributeNames',
  'ExpressionAttributeValues',
];

export function isWriteKind(name: string): name is WriteKind {
  return (kinds as readonly string[]).includes(name);
}

export async function createWriteStager(): Promise<WriteStager> {
  const { default: db } = await import('dynalite/db/index.js');
  const { default: validations } = await import('dynalite/validations/index.js');
  const operations = {
    Put: {
      rules: (await import('dynalite/validations/putItem.js')).default,
      action: (await import('dynalite/actions/putItem.js')).default,
    },
    Delete: {
      rules: (await import('dynalite/validations/deleteItem.js')).default,
      action: (await import('dynalite/actions/deleteItem.js')).default,
    },
  };
  const options = { maxItemSize: db.MAX_SIZE };

  return {
    parse(kind, entry) {
      const { types, custom } = operations[kind].rules;
      const taken = members.filter((name) => name in entry).map((name) => [name, entry[name]]);
      const input = translating(() => {
        // dynalite changes its input in place.
        const typed = validations.checkTypes(structuredClone(Object.fromEntries(taken)), types);
        validations.checkValidations(typed, types, custom, { options });
        return typed;
      });
      return {
        kind,
        tableName: input['TableName'] as string,
        keyOrItem: structuredClone(input[kind === 'Put' ? 'Item' : 'Key']) as Item,
        input,
      };
    },

    keyIn(table, { kind, keyOrItem }) {
      const check = kind === 'Put' ? db.validateItem : db.validateKey;
      const fault = check(keyOrItem, table);
      return fault ? refusal(fault.body) : db.createKey(keyOrItem, table);
    },

    refusalOf(table, { kind, input }, existing) {
      return new Promise((resolve, reject) => {
        operations[kind].action(storeOfOneItem({ options, table, existing }), input, (error) => {
          if (!error) resolve(undefined);
          else if (error.body) resolve(refusal(error.body));
          else reject(error);
        });
      });
    },

    sizeBytes: (item) => db.itemSize(item),
  };
}

interface StoreOfOneItem {
  readonly options: object;
  readonly table: object;
  readonly existing: Item | undefined;
}

type Callback<T = unknown> = (error?: unknown, value?: T) => void;

/** The members of dynalite's store that its item actions touch. */
function storeOfOneItem({ options, table, existing }: StoreOfOneItem): object {
  const ignoreWrites = {
    put: (_key: string, _item: Item, done: Callback) => done(),
    del: (_key: string, done: Callback) => done(),
  };
  return {
    options,
    getTable: (_name: string, done: Callback<object>) => done(null, table),
    getIndexDb: () => ignoreWrites,
    getItemDb: () => ({
      ...ignoreWrites,
      lock: (_key: string, run: (release: (done: Callback) => Callback) => void) =>
        run((done) => done),
      get: (_key: string, done: Callback<Item>) => done(null, existing),
    }),
  };
}

type FaultBody = { readonly __type: string; readonly message: string };

function refusal({ __type, message }: FaultBody): Refusal {
  const conditional = __type.endsWith('#ConditionalCheckFailedException');
  return { code: conditional ? 'ConditionalCheckFailed' : 'ValidationError', message };
}

function translating<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { body } = error as { readonly body?: FaultBody };
    if (body === undefined) throw error;
    throw new DynamoDbError({ status: 400, body });
  }
}
