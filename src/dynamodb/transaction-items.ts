/** One edit as the four writes of its transaction, and a fifth where it is that of a proposal. */

import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { AppliedProposal, ChangeFacts } from '../core/policy/mapping-history.ts';
import type { StoredRoleMapping } from '../core/policy/role-mapping.ts';
import { proposalItem, whileOpen } from './proposals.ts';
import { changeKey, currentKey, headKey, toItem, versionKey } from './role-mapping-item.ts';
import type { Item } from './table-calls.ts';

export interface PlannedChange extends ChangeFacts {
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

/** Places in the transaction, and so in the reasons of its cancellation. */
export const placeInTransaction = {
  current: 0,
  version: 1,
  change: 2,
  head: 3,
  proposal: 4,
} as const;

/** Its entry in the change log, before it is sealed. */
export function changeEntry(change: PlannedChange): Item {
  const { id, before, after, revision } = change;
  return toItem(changeKey(revision), { ...factsOf(change), id, before, after });
}

function factsOf(change: PlannedChange) {
  const { version, revision, action, updatedAt, updatedBy, actorProven, reason, writeId } = change;
  const { approvedBy, proposal } = change;
  return {
    ...{ version, revision, action, updatedAt, updatedBy, actorProven, reason, writeId },
    ...{ approvedBy, proposal },
  };
}

/** `entry` is that of the change log, sealed where it has to be. */
export function changeTransaction(
  tableName: string,
  change: PlannedChange,
  entry: Item,
): TransactWriteItem[] {
  const { id, version, revision, mappings, after, updatedAt, writeId } = change;
  const facts = factsOf(change);
  const current = toItem(currentKey(id), { ...facts, mapping: after });
  const history = toItem(versionKey(id, version), { ...facts, mapping: after });
  const head = toItem(headKey, { revision, mappings, updatedAt, writeId });
  const onlyNew = { ConditionExpression: 'attribute_not_exists(pk)' };
  const put = (item: Item, condition: object) => ({
    Put: { TableName: tableName, Item: item, ...condition },
  });
  return [
    after === undefined
      ? {
          Delete: {
            TableName: tableName,
            Key: toItem(currentKey(id), {}),
            ...expecting('version', change.expectedVersion),
          },
        }
      : put(current, expecting('version', change.expectedVersion)),
    put(history, onlyNew),
    put(entry, onlyNew),
    put(head, revision === 1 ? onlyNew : expecting('revision', revision - 1)),
    ...(change.applying === undefined ? [] : [put(appliedItem(change.applying), whileOpen)]),
  ];
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
