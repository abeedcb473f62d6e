/**
 * Says whether a put or a delete of a transaction could be done, without doing it. dynalite's own actions run against
 * a store of one item that swallows the write, so conditions mean here exactly what they mean there.
 */

import type { Dynalite, Operation } from './dynalite-operations.ts';
import type { Members } from './dynamodb-wire.ts';
import { DynamoDbError } from './dynamodb-wire.ts';

const kinds = ['Put', 'Delete'] as const;
export type WriteKind = (typeof kinds)[number];

/** One entry of TransactItems that passed every check that needs neither table nor item. */
export interface ParsedWrite {
  readonly kind: WriteKind;
  readonly tableName: string;
  /** The item of a Put, the key of a Delete. */
  readonly keyOrItem: Members;
  /** The input as dynalite's action takes it, expressions parsed. */
  readonly input: Members;
}

export interface WriteRefusal {
  readonly code: string;
  readonly message: string;
}

export interface WriteStager {
  /** Throws a DynamoDbError for a write that is wrong in itself. */
  parse(kind: WriteKind, entry: Members): ParsedWrite;
  /** Identifies the item within its table; or why the table cannot hold it. */
  keyIn(table: object, write: ParsedWrite): string | WriteRefusal;
  /** Undefined: it could be done. */
  refusalOf(
    table: object,
    write: ParsedWrite,
    existing: Members | undefined,
  ): Promise<WriteRefusal | undefined>;
  sizeBytes(item: Members): number;
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

export function createWriteStager({ operations, maxItemSize, db }: Dynalite): WriteStager {
  const operationOf = (kind: WriteKind) => operations.get(`${kind}Item`) as Operation;
  const options = { maxItemSize };

  return {
    parse(kind, entry) {
      const taken = members.filter((name) => name in entry).map((name) => [name, entry[name]]);
      const input = operationOf(kind).check(structuredClone(Object.fromEntries(taken)));
      return {
        kind,
        tableName: input['TableName'] as string,
        keyOrItem: structuredClone(input[kind === 'Put' ? 'Item' : 'Key']) as Members,
        input,
      };
    },

    keyIn(table, { kind, keyOrItem }) {
      const check = kind === 'Put' ? db.validateItem : db.validateKey;
      const fault = check(keyOrItem, table);
      return fault?.body ? refusal(fault.body) : db.createKey(keyOrItem, table);
    },

    async refusalOf(table, { kind, input }, existing) {
      try {
        await operationOf(kind).run(storeOfOneItem({ options, table, existing }), input);
        return undefined;
      } catch (error) {
        if (error instanceof DynamoDbError) return refusal(error.answer.body);
        throw error;
      }
    },

    sizeBytes: (item) => db.itemSize(item),
  };
}

interface StoreOfOneItem {
  readonly options: object;
  readonly table: object;
  readonly existing: Members | undefined;
}

type Callback<T = unknown> = (error?: unknown, value?: T) => void;

/** The members of dynalite's store that its item actions touch. */
function storeOfOneItem({ options, table, existing }: StoreOfOneItem): object {
  const ignoreWrites = {
    put: (_key: string, _item: Members, done: Callback) => done(),
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
      get: (_key: string, done: Callback<Members>) => done(null, existing),
    }),
  };
}

function refusal({ __type, message }: Members): WriteRefusal {
  const conditional = String(__type).endsWith('#ConditionalCheckFailedException');
  const code = conditional ? 'ConditionalCheckFailed' : 'ValidationError';
  return { code, message: String(message) };
}
