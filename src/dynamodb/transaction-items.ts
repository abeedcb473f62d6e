/** Edits as the writes of one transaction: three of each, the head, and one more where the edit is that of a proposal. */

import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { ChangeFacts } from '../core/editing/change-facts.ts';
import type { AppliedProposal } from '../core/editing/mapping-history.ts';
import type { StoredRoleMapping } from '../core/policy/role-mapping.ts';
import { proposalItem, whileOpen } from './proposal-item.ts';
import { changeKey, currentKey, headKey, toItem, versionKey } from './role-mapping-item.ts';
import type { Item } from './table-calls.ts';

export interface TableChange extends ChangeFacts {
  readonly id: string;
  readonly expectedVersion: number | 'absent';
  /** Current mappings once this is done. */
  readonly mappings: number;
  /** Texts of the mapping. */
  readonly before: string | undefined;
  readonly after: string | undefined;
  /** `before`, where it could be read. */
  readonly beforeStored: StoredRoleMapping | undefined;
  /** Tells this edit from every other one: recognises a success whose answer was lost. */
  readonly writeId: string;
  readonly applying?: AppliedProposal | undefined;
}

/** What a write of the transaction is of, and so what a reason of its cancellation is about. */
export type PlaceInTransaction = 'current' | 'version' | 'change' | 'head' | 'proposal';

/** @param edits how many the transaction makes */
export function placeInTransaction(index: number, edits: number): PlaceInTransaction {
  if (index < 2 * edits) return index % 2 === 0 ? 'current' : 'version';
  if (index < 3 * edits) return 'change';
  return index === 3 * edits ? 'head' : 'proposal';
}

/** With the head they are 97 of the 100 writes that DynamoDB takes at once. */
export const maxEditsAtOnce = 32;

/** Its entry in the change log, before it is sealed. */
export function changeEntry(change: TableChange): Item {
  const { id, before, after, revision } = change;
  return toItem(changeKey(revision), { ...factsOf(change), id, before, after });
}

function factsOf(change: TableChange) {
  const { version, revision, action, updatedAt, updatedBy, actorProven, reason, writeId } = change;
  const { approvedBy, proposal, override } = change;
  return {
    ...{ version, revision, action, updatedAt, updatedBy, actorProven, reason, writeId },
    ...{ approvedBy, proposal, override },
  };
}

/**
 * All of the changes or none. `entries` are theirs in the change log, sealed where they have to be; both in the order of
 * their revisions.
 */
export function changeTransaction(
  tableName: string,
  changes: readonly TableChange[],
  entries: readonly Item[],
): TransactWriteItem[] {
  const put = putInto(tableName);
  return [
    ...changes.flatMap((change) => rowWrites(tableName, change)),
    ...entries.map((entry) => put(entry, onlyNew)),
    headWrite(tableName, changes),
    ...changes.flatMap(({ applying }) =>
      applying === undefined ? [] : [put(appliedItem(applying), whileOpen)],
    ),
  ];
}

const onlyNew = { ConditionExpression: 'attribute_not_exists(pk)' };

function rowWrites(tableName: string, change: TableChange): TransactWriteItem[] {
  const { id, version, after, expectedVersion } = change;
  const put = putInto(tableName);
  const attributes = { ...factsOf(change), mapping: after };
  const expected = expecting('version', expectedVersion);
  return [
    after === undefined
      ? { Delete: { TableName: tableName, Key: toItem(currentKey(id), {}), ...expected } }
      : put(toItem(currentKey(id), attributes), expected),
    put(toItem(versionKey(id, version), attributes), onlyNew),
  ];
}

/** From the revision before the first change to that of the last. */
function headWrite(tableName: string, changes: readonly TableChange[]): TransactWriteItem {
  const [first, last] = [changes[0], changes.at(-1)];
  if (first === undefined || last === undefined) throw new TypeError('there is nothing to write');
  const { revision, mappings, updatedAt, writeId } = last;
  const head = toItem(headKey, { revision, mappings, updatedAt, writeId });
  const before = first.revision - 1;
  return putInto(tableName)(head, before === 0 ? onlyNew : expecting('revision', before));
}

function putInto(tableName: string) {
  return (item: Item, condition: object) => ({
    Put: { TableName: tableName, Item: item, ...condition },
  });
}

function appliedItem({ proposal, closing }: AppliedProposal): Item {
  return proposalItem({ ...proposal, closing });
}

function expecting(attribute: string, value: number | 'absent') {
  if (value === 'absent') return { ConditionExpression: 'attribute_not_exists(pk)' };
  return {
    ConditionExpression: '#expected = :expected',
    ExpressionAttributeNames: { '#expected': attribute },
    ExpressionAttributeValues: { ':expected': { N: String(value) } },
  };
}
