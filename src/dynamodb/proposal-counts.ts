/**
 * How many proposals were made in the last three days, by one author and in all: one item for each, written in the
 * transaction of the proposal that it counts, and on condition that nothing was counted since it was read. So the
 * limits hold among all brokers of the table (T240). Nothing has to be taken back: what is older does not count.
 */

import { hash } from 'node:crypto';
import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { RecentProposals } from '../core/editing/ports.ts';
import {
  type Proposal,
  proposalDigest,
  proposalLifetimeMs,
  timePart,
} from '../core/editing/proposal.ts';
import { readJson, readText } from './item-attributes.ts';
import { proposalPartition } from './proposal-item.ts';
import { toItem } from './role-mapping-item.ts';
import type { ItemKey, TableCalls } from './table-calls.ts';

interface Count {
  readonly key: ItemKey;
  /** What was made, oldest first; each begins with its time. */
  readonly made: readonly string[];
  /** Id of the proposal with which it was written; undefined if it never was. */
  readonly latest: string | undefined;
}

export interface ProposalCounts {
  readonly ofAuthor: Count;
  readonly ofAll: Count;
}

/** Before all ids: a look at the proposals does not meet them. */
const allKey: ItemKey = { pk: proposalPartition, sk: '#ALL' };

function authorKey(author: string): ItemKey {
  return { pk: proposalPartition, sk: `#AUTHOR#${hash('sha256', author, 'hex')}` };
}

/** `author`: whatever is the same for all proposals of whoever that is. */
export async function readCounts(
  calls: TableCalls,
  author: string,
  { createdAt }: Proposal,
): Promise<ProposalCounts> {
  const from = timePart(createdAt - proposalLifetimeMs);
  const read = async (key: ItemKey): Promise<Count> => {
    const item = await calls.get(key);
    const made = readJson(item, 'made');
    const texts = Array.isArray(made) ? made.filter((one) => typeof one === 'string') : [];
    return { key, made: texts.filter((one) => one >= from), latest: readText(item, 'latest') };
  };
  const [ofAuthor, ofAll] = await Promise.all([read(authorKey(author)), read(allKey)]);
  return { ofAuthor, ofAll };
}

export function recentProposals({ ofAuthor, ofAll }: ProposalCounts): RecentProposals {
  return {
    ofAuthor: ofAuthor.made.map((one) => {
      const [id = '', sha256 = ''] = one.split(' ');
      return { id, sha256 };
    }),
    ofAll: ofAll.made.length,
  };
}

export function countWrites(
  tableName: string,
  { ofAuthor, ofAll }: ProposalCounts,
  proposal: Proposal,
): TransactWriteItem[] {
  const write = ({ key, made, latest }: Count, entry: string): TransactWriteItem => ({
    Put: {
      TableName: tableName,
      Item: toItem(key, { latest: proposal.id, made: JSON.stringify([...made, entry]) }),
      ...unlessMoved(latest),
    },
  });
  return [
    write(ofAuthor, `${proposal.id} ${proposalDigest(proposal)}`),
    write(ofAll, timePart(proposal.createdAt)),
  ];
}

const names = { '#latest': 'latest' };

function unlessMoved(latest: string | undefined) {
  if (latest === undefined)
    return {
      ConditionExpression: 'attribute_not_exists(#latest)',
      ExpressionAttributeNames: names,
    };
  return {
    ConditionExpression: '#latest = :latest',
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: { ':latest': { S: latest } },
  };
}
