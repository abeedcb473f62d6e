/**
 * Proposals in the table of the role mappings, so that one is applied in one transaction with its edit. They are rows
 * of one partition, by id and so by time; nothing of a row changes but how it ended, and it ends once.
 */

import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { BrokerError } from '../core/errors.ts';
import { changeActions } from '../core/policy/change-action.ts';
import type { ProposalStore } from '../core/ports.ts';
import {
  isProposalId,
  notOpen,
  type Proposal,
  type ProposalAuthor,
  type ProposalClosing,
  storedStates,
} from '../core/proposal.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { readInteger, readJson, readText } from './item-attributes.ts';
import { toItem } from './role-mapping-item.ts';
import { type Item, type ItemKey, type TableCalls, tableUnavailable } from './table-calls.ts';

const partition = 'PROPOSALS';

function proposalKey(id: string): ItemKey {
  return { pk: partition, sk: id };
}

export function proposalStore(calls: TableCalls): ProposalStore {
  const put = async (item: Item, condition: object) => {
    await calls.transact([{ Put: { TableName: calls.tableName, Item: item, ...condition } }]);
  };
  const get = async (id: string) => {
    const item = await calls.get(proposalKey(id));
    return item && readProposal(item);
  };
  return {
    get,
    async add(proposal) {
      const condition = { ConditionExpression: 'attribute_not_exists(pk)' };
      await put(proposalItem(proposal), condition).catch(async (error: unknown) => {
        // The same proposal again, or an answer that was lost.
        if (isConditionFailure(error) || (await get(proposal.id).catch(() => undefined))) return;
        throw unsettled(error);
      });
    },
    async list({ before, from = '', limit }) {
      const items = await calls.query({
        pk: partition,
        fromSk: from === '' ? '0' : from,
        // Both ends are part of a range, and `before` is not wanted.
        toSk: before ?? '~',
        descending: true,
        limit: before === undefined ? limit : limit + 1,
      });
      const found = items.map(readProposal).filter((one) => one !== undefined);
      return found.filter(({ id }) => id !== before).slice(0, limit);
    },
    async close(proposal, closing) {
      await put(proposalItem({ ...proposal, closing }), whileOpen).catch(async (error: unknown) => {
        if (!isConditionFailure(error)) throw unsettled(error);
        const now = await get(proposal.id);
        throw notOpen(now?.closing?.state ?? 'stale');
      });
    },
  };
}

/** A proposal ends once. */
export const whileOpen = {
  ConditionExpression: '#state = :open',
  ExpressionAttributeNames: { '#state': 'state' },
  ExpressionAttributeValues: { ':open': { S: 'open' } },
};

/** Of a transaction of one write: its condition did not hold, so nothing was done. */
function isConditionFailure(error: unknown): boolean {
  return (
    error instanceof TransactionCanceledException &&
    error.CancellationReasons?.[0]?.Code === 'ConditionalCheckFailed'
  );
}

function unsettled(cause: unknown): BrokerError {
  const known = tableUnavailable(cause);
  return new BrokerError('table_unavailable', {
    detail: `${known.message} Read the proposal again before you repeat this.`,
    reason: 'outcome_unknown',
    cause,
  });
}

export function proposalItem(proposal: Proposal): Item {
  const { id, baseVersion, before, after, author, closing, ...facts } = proposal;
  return toItem(proposalKey(id), {
    ...facts,
    baseVersion: baseVersion === 'absent' ? 0 : baseVersion,
    before: before === undefined ? undefined : JSON.stringify(before),
    after: after === undefined ? undefined : JSON.stringify(after),
    author: JSON.stringify(author),
    state: closing?.state ?? 'open',
    closedBy: closing?.by,
    closedAt: closing?.at,
    closeReason: closing?.reason,
  });
}

/** Undefined for what is none: nothing of it can be applied. */
function readProposal(item: Item): Proposal | undefined {
  const id = readText(item, 'sk') ?? '';
  const mappingId = readText(item, 'mappingId');
  const action = changeActions.find((name) => name === readText(item, 'action'));
  const state = storedStates.find((name) => name === readText(item, 'state'));
  const author = readAuthor(item);
  const after = readJson(item, 'after');
  if (!isProposalId(id) || mappingId === undefined || author === undefined) return undefined;
  // A document that cannot be read must not pass for a deletion.
  if (state === undefined || (after === undefined) !== (action === 'delete')) return undefined;
  const base = readInteger(item, 'baseVersion') ?? 0;
  return {
    id,
    mappingId,
    action: action ?? 'replace',
    baseVersion: base === 0 ? 'absent' : base,
    before: readJson(item, 'before'),
    after,
    override: item['override']?.BOOL === true,
    author,
    reason: readText(item, 'reason') ?? '',
    createdAt: readInteger(item, 'createdAt') ?? 0,
    // Without one it has passed.
    expiresAt: readInteger(item, 'expiresAt') ?? 0,
    closing: state === 'open' ? undefined : readClosing(state, item),
  };
}

function readAuthor(item: Item): ProposalAuthor | undefined {
  const author = readJson(item, 'author');
  if (!isJsonObject(author)) return undefined;
  const { name, issuer, subject, machine, person } = author;
  const texts = [name, issuer, subject].every((one) => typeof one === 'string');
  if (!texts || typeof machine !== 'boolean') return undefined;
  return { name, issuer, subject, machine, person } as ProposalAuthor;
}

function readClosing(state: ProposalClosing['state'], item: Item): ProposalClosing {
  return {
    state,
    by: readText(item, 'closedBy') ?? '',
    reason: readText(item, 'closeReason') ?? '',
    at: readInteger(item, 'closedAt') ?? 0,
  };
}
