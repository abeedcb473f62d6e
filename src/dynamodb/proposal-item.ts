/** A proposal ⇄ its row: docs/table.md shows it. */

import { changeActions } from '../core/editing/change-facts.ts';
import {
  isProposalId,
  type Proposal,
  type ProposalAuthor,
  type ProposalClosing,
  storedStates,
} from '../core/editing/proposal.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { contentDigest } from './entry-chain.ts';
import { readInteger, readJson, readText } from './item-attributes.ts';
import { toItem } from './role-mapping-item.ts';
import type { Item, ItemKey } from './table-calls.ts';

export const proposalPartition = 'PROPOSALS';

export function proposalKey(id: string): ItemKey {
  return { pk: proposalPartition, sk: id };
}

/** A proposal ends once. */
export const whileOpen = {
  ConditionExpression: '#state = :open',
  ExpressionAttributeNames: { '#state': 'state' },
  ExpressionAttributeValues: { ':open': { S: 'open' } },
};

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
export function readProposalItem(item: Item): Proposal | undefined {
  const id = readText(item, 'sk') ?? '';
  const mappingId = readText(item, 'mappingId');
  const action = changeActions.find((name) => name === readText(item, 'action'));
  const state = storedStates.find((name) => name === readText(item, 'state'));
  const author = readAuthor(item);
  const after = readJson(item, 'after');
  if (!isProposalId(id) || mappingId === undefined || author === undefined) return undefined;
  // A document that cannot be read must not pass for a deletion.
  if (state === undefined || (after === undefined) !== (action === 'delete')) return undefined;
  return {
    id,
    mappingId,
    action: action ?? 'replace',
    ...readBase(item),
    before: readJson(item, 'before'),
    after,
    override: item['override']?.BOOL === true,
    author,
    reason: readText(item, 'reason') ?? '',
    createdAt: readInteger(item, 'createdAt') ?? 0,
    // Without one it has passed.
    expiresAt: readInteger(item, 'expiresAt') ?? 0,
    seal: sealOf(item),
    closing: state === 'open' ? undefined : readClosing(state, item),
  };
}

export function sealOf(item: Item): string | undefined {
  return readText(item, 'seal');
}

/** How it ended is written later, by whoever may edit. */
const closingAttributes: ReadonlySet<string> = new Set([
  'state',
  'closedBy',
  'closedAt',
  'closeReason',
]);

/** What the seal of a proposal is a signature of: all of the row but the seal, and how it ended. */
export function proposalSealText(tableName: string, item: Item): string {
  const proposed = Object.entries(item).filter(([name]) => !closingAttributes.has(name));
  const digest = contentDigest(Object.fromEntries(proposed));
  return `token-broker proposal seal\n${tableName}\n${digest}\n`;
}

function readBase(item: Item): Pick<Proposal, 'baseVersion' | 'deletedVersion'> {
  const base = readInteger(item, 'baseVersion') ?? 0;
  return {
    baseVersion: base === 0 ? 'absent' : base,
    deletedVersion: readInteger(item, 'deletedVersion') ?? 0,
  };
}

function readAuthor(item: Item): ProposalAuthor | undefined {
  const author = readJson(item, 'author');
  if (!isJsonObject(author)) return undefined;
  const { name, issuer, subject, machine, person, personClaim, standing } = author;
  const texts = [name, issuer, subject].every((one) => typeof one === 'string');
  if (!texts || typeof machine !== 'boolean') return undefined;
  if (standing !== undefined && !isStanding(standing)) return undefined;
  return { name, issuer, subject, machine, person, personClaim, standing } as ProposalAuthor;
}

function isStanding(value: unknown): boolean {
  if (!isJsonObject(value)) return false;
  const { pool, client, groups } = value;
  const texts = Array.isArray(groups) ? [pool, client, ...(groups as unknown[])] : [undefined];
  return texts.every((one) => typeof one === 'string');
}

function readClosing(state: ProposalClosing['state'], item: Item): ProposalClosing {
  return {
    state,
    by: readText(item, 'closedBy') ?? '',
    reason: readText(item, 'closeReason') ?? '',
    at: readInteger(item, 'closedAt') ?? 0,
  };
}
