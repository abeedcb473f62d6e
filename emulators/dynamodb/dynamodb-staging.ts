/**
 * Works out what a write would do, without doing it. dynalite's own actions run against a store of one item
 * that swallows the write, so conditions and update expressions mean here exactly what they mean there.
 */

import type { Item } from './dynamodb-wire.ts';
import { DynamoDbError } from './dynamodb-wire.ts';

const kinds = ['ConditionCheck', 'Put', 'Update', 'Delete'] as const;
export type WriteKind = (typeof kinds)[number];

/** One entry of TransactItems that passed every check that needs neither table nor item. */
export interface ParsedWrite {
  readonly kind: WriteKind;
  readonly tableName: string;
  /** The item of a Put, the key of the others. */
  readonly keyOrItem: Item;
  /** `ReturnValuesOnConditionCheckFailure=ALL_OLD` was asked for. */
  readonly wantsOldItem: boolean;
  /** The input as dynalite's action takes it, expressions parsed. */
  readonly input: Item;
}

export type Staged =
  | {
      readonly kind: 'possible' /** Undefined: there will be none. */;
      readonly image: Item | undefined;
    }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

export interface WriteStager {
  /** Throws a DynamoDbError for a write that is wrong in itself. */
  parse(kind: WriteKind, entry: Item): ParsedWrite;
  /** Identifies the item within its table; or why the table cannot hold it. */
  keyIn(table: object, write: ParsedWrite): string | Extract<Staged, { kind: 'refused' }>;
  stage(table: object, write: ParsedWrite, existing: Item | undefined): Promise<Staged>;
  sizeBytes(item: Item): number;
}

/** What transactions take of each write; legacy parameters such as `Expected` are not among them. */
const members = [
  'TableName',
  'Item',
  'Key',
  'ConditionExpression',
  'UpdateExpression',
  'ExpressionAttributeNames',
  'ExpressionAttributeValues',
];

export function isWriteKind(name: string): name is WriteKind {
  return (kinds as readonly string[]).includes(name);
}

export async function createWriteStager(): Promise<WriteStager> {
  const { default: db } = await import('dynalite/db/index.js');
  const { default: validations } = await import('dynalite/validations/index.js');
  const put = {
    rules: (await import('dynalite/validations/putItem.js')).default,
    action: (await import('dynalite/actions/putItem.js')).default,
  };
  const update = {
    rules: (await import('dynalite/validations/updateItem.js')).default,
    action: (await import('dynalite/actions/updateItem.js')).default,
  };
  const remove = {
    rules: (await import('dynalite/validations/deleteItem.js')).default,
    action: (await import('dynalite/actions/deleteItem.js')).default,
  };
  // A condition check is a conditional delete whose effect nobody keeps.
  const operations = { Put: put, Update: update, Delete: remove, ConditionCheck: remove };
  const options = { maxItemSize: db.MAX_SIZE };

  function checked({ types, custom }: typeof put.rules, input: Item): Item {
    // dynalite changes its input in place.
    const typed = validations.checkTypes(structuredClone(input), types);
    validations.checkValidations(typed, types, custom, { options });
    return typed;
  }

  /** dynalite lets an update make an item that it would not take as a put, such as a number too long. */
  function storable(table: object, image: Item | undefined): Staged {
    if (!image) return { kind: 'possible', image };
    try {
      checked(put.rules, { TableName: 'any', Item: image });
    } catch (error) {
      return refusal(bodyOf(error));
    }
    const fault = db.validateItem(image, table);
    return fault ? refusal(fault.body) : { kind: 'possible', image };
  }

  return {
    parse(kind, entry) {
      const taken = members.filter((name) => name in entry).map((name) => [name, entry[name]]);
      const wantsOldItem = entry['ReturnValuesOnConditionCheckFailure'] === 'ALL_OLD';
      const input = translating(() => checked(operations[kind].rules, Object.fromEntries(taken)));
      return {
        kind,
        tableName: input['TableName'] as string,
        keyOrItem: structuredClone(input[kind === 'Put' ? 'Item' : 'Key']) as Item,
        wantsOldItem,
        input,
      };
    },

    keyIn(table, { kind, keyOrItem }) {
      const check = kind === 'Put' ? db.validateItem : db.validateKey;
      const fault = check(keyOrItem, table);
      return fault ? refusal(fault.body) : db.createKey(keyOrItem, table);
    },

    stage(table, { kind, input }, existing) {
      return new Promise((resolve, reject) => {
        let image = existing;
        const store = storeOfOneItem({ options, table, existing, keep: (next) => (image = next) });
        operations[kind].action(store, input, (error) => {
          if (!error) resolve(storable(table, image));
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
  keep(image: Item | undefined): void;
}

type Callback<T = unknown> = (error?: unknown, value?: T) => void;

/** The members of dynalite's store that its item actions touch. */
function storeOfOneItem({ options, table, existing, keep }: StoreOfOneItem): object {
  const ignoreWrite = {
    put: (_key: string, _item: Item, done: Callback) => done(),
    del: ignoreDelete,
  };
  return {
    options,
    getTable: (_name: string, done: Callback<object>) => done(null, table),
    getIndexDb: () => ignoreWrite,
    getItemDb: () => ({
      lock: (_key: string, run: (release: (done: Callback) => Callback) => void) =>
        run((done) => done),
      get: (_key: string, done: Callback<Item>) => done(null, existing),
      put(_key: string, item: Item, done: Callback) {
        keep(item);
        done();
      },
      del(_key: string, done: Callback) {
        keep(undefined);
        done();
      },
    }),
  };
}

function ignoreDelete(_key: string, done: Callback): void {
  done();
}

type FaultBody = { readonly __type: string; readonly message: string };

function refusal(body: FaultBody): Extract<Staged, { kind: 'refused' }> {
  const conditional = body.__type.endsWith('#ConditionalCheckFailedException');
  const code = conditional ? 'ConditionalCheckFailed' : 'ValidationError';
  return { kind: 'refused', code, message: body.message };
}

function translating<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new DynamoDbError({ status: 400, body: bodyOf(error) });
  }
}

/** The answer that an error of dynalite's stands for; throws any other error. */
function bodyOf(error: unknown): FaultBody {
  const { body } = error as { readonly body?: FaultBody };
  if (body === undefined) throw error;
  return body;
}
