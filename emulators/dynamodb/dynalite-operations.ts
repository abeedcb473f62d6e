/** The operations of dynalite as functions: how each checks its input, and what it does. */

import type { Members } from './dynamodb-wire.ts';
import { DynamoDbError } from './dynamodb-wire.ts';

/** What an action does its work on: dynalite's own store, or what stands for one. */
export type Items = object;

export interface Operation {
  /**
   * The input as the action takes it, expressions parsed. Throws a DynamoDbError for one that is wrong in itself. Changes
   * what it gets.
   */
  check(input: Members): Members;
  /** Throws a DynamoDbError for whatever DynamoDB refuses. The answer may be changed later on. */
  run(items: Items, input: Members): Promise<Members>;
}

export interface Dynalite {
  readonly operations: ReadonlyMap<string, Operation>;
  readonly maxItemSize: number;
  readonly db: Database;
}

type FaultBody = { readonly __type: string; readonly message: string };
type Fault = Error & { readonly body?: FaultBody };

/** The parts of dynalite 4.0.0's `db` that are used here; the package has no types of its own. */
interface Database {
  readonly MAX_SIZE: number;
  create(options: {
    readonly createTableMs: number;
    readonly deleteTableMs: number;
    readonly updateTableMs: number;
    /** LevelDB folder; in memory without. */
    readonly path?: string;
  }): {
    readonly db: { open(): Promise<void> };
    /** Waits for what is running. */
    readonly lifecycleManager: { gracefulClose(): Promise<void> };
  };
  createKey(item: Members, table: object): string;
  itemSize(item: Members): number;
  validateItem(item: Members, table: object): Fault | null | undefined;
  validateKey(key: Members, table: object): Fault | null | undefined;
}

interface Validations {
  checkTypes(input: Members, types: object): Members;
  checkValidations(
    input: Members,
    types: object,
    custom: object,
    store: { readonly options: { readonly maxItemSize: number } },
  ): void;
}

type Action = (
  items: Items,
  input: Members,
  callback: (error?: Fault, answer?: Members) => void,
) => void;

const names = [
  'BatchGetItem',
  'BatchWriteItem',
  'CreateTable',
  'DeleteItem',
  'DeleteTable',
  'DescribeTable',
  'DescribeTimeToLive',
  'GetItem',
  'ListTables',
  'ListTagsOfResource',
  'PutItem',
  'Query',
  'Scan',
  'TagResource',
  'UntagResource',
  'UpdateItem',
  'UpdateTable',
];

let loading: Promise<Dynalite> | undefined;

/** Loaded where it is needed: it takes half a second. */
export function loadDynalite(): Promise<Dynalite> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Dynalite> {
  const part = async <T>(path: string): Promise<T> => (await import(`dynalite/${path}.js`)).default;
  const db = await part<Database>('db/index');
  const validations = await part<Validations>('validations/index');
  const maxItemSize = db.MAX_SIZE;
  const operation = async (name: string): Promise<[string, Operation]> => {
    const file = `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
    const rules = await part<{ types: object; custom: object }>(`validations/${file}`);
    const action = await part<Action>(`actions/${file}`);
    const check = (input: Members) => {
      const typed = validations.checkTypes(input, rules.types);
      validations.checkValidations(typed, rules.types, rules.custom, { options: { maxItemSize } });
      return typed;
    };
    return [name, { check: translated(check), run: promised(action) }];
  };
  return { operations: new Map(await Promise.all(names.map(operation))), maxItemSize, db };
}

function translated(check: (input: Members) => Members): Operation['check'] {
  return (input) => {
    try {
      return check(input);
    } catch (error) {
      throw inWords(error as Fault);
    }
  };
}

function promised(action: Action): Operation['run'] {
  return (items, input) =>
    new Promise((resolve, reject) => {
      action(items, input, (error, answer = {}) => {
        if (error) reject(inWords(error));
        else resolve(answer);
      });
    });
}

/** DynamoDB's answer, if dynalite has one. */
function inWords(error: Fault): Error {
  const { body } = error;
  return body === undefined ? error : new DynamoDbError({ status: 400, body });
}
