/** The change log: one entry per revision, without gaps, so that a known state can be brought up to date. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { BrokerError } from '../core/errors.ts';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import { type ChainLink, linkOf } from './entry-chain.ts';
import { changeKey, endOfBucket, type LoggedChange, readChange } from './role-mapping-item.ts';
import type { Item, TableCalls } from './table-calls.ts';

export interface RevisionRange {
  /** The first entry wanted is the one after this. */
  readonly since: number;
  /** The last entry wanted. */
  readonly through: number;
}

/** About 5 ms of checking. */
const entriesPerTurn = 50;

/**
 * Items of the log in order, some at a time; before each portion whatever else is due runs. Whether one is missing, the caller
 * has to see. `attributes`: of the items; default: all of them.
 *
 * @throws BrokerError `table_unavailable`
 */
export async function* logItems(
  calls: TableCalls,
  { since, through }: RevisionRange,
  attributes?: readonly string[],
): AsyncGenerator<readonly Item[]> {
  for (let from = since + 1; from <= through; from = endOfBucket(from) + 1) {
    const first = changeKey(from);
    const last = changeKey(Math.min(through, endOfBucket(from)));
    const range = { pk: first.pk, fromSk: first.sk, toSk: last.sk, attributes };
    const items = await calls.query(range);
    for (let at = 0; at < items.length; at += entriesPerTurn) {
      await nextTurn();
      yield items.slice(at, at + entriesPerTurn);
    }
  }
}

/** Entries in order of revision, all of them: @throws BrokerError `table_unavailable` if one is missing. */
export async function readChanges(
  calls: TableCalls,
  { since, through }: RevisionRange,
  rules: MappingRules,
): Promise<LoggedChange[]> {
  const changes: LoggedChange[] = [];
  for await (const items of logItems(calls, { since, through })) {
    for (const item of items) {
      const change = readChange(item, rules);
      if (change === undefined || change.revision !== since + changes.length + 1) {
        throw incompleteRead('The change log of the table has a gap.');
      }
      changes.push(change);
    }
  }
  if (changes.length !== Math.max(0, through - since)) {
    throw incompleteRead('The change log of the table ends too early.');
  }
  return changes;
}

/** What the entries add to the chain that seals the log. @throws as readChanges */
export async function readLinks(
  calls: TableCalls,
  { since, through }: RevisionRange,
): Promise<readonly ChainLink[]> {
  const links: ChainLink[] = [];
  for await (const items of logItems(calls, { since, through })) links.push(...items.map(linkOf));
  if (links.length === Math.max(0, through - since)) return links;
  throw incompleteRead('The change log of the table has a gap.');
}

const incompleteReason = 'incomplete_read';

/** The table answered, but not with all that it must hold: nothing of the answer may be used. */
export function incompleteRead(detail: string): BrokerError {
  return new BrokerError('table_unavailable', {
    detail: `${detail} docs/table.md tells how to repair it.`,
    reason: incompleteReason,
  });
}

export function isIncompleteRead(error: unknown): boolean {
  return error instanceof BrokerError && error.reason === incompleteReason;
}
