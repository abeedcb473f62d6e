/** Pages of the policy in memory, in the order of ids. */

import type { CompiledMapping } from '../../core/policy/compiled-mapping.ts';
import type { PolicySnapshot } from '../../core/policy/policy-snapshot.ts';
import { mappingIdPattern } from '../../core/policy/role-mapping.ts';
import { sortedInPieces } from '../../kit/order/sorted-in-pieces.ts';
import { inTurns, type PiecesOfWork } from '../../kit/timing/in-turns.ts';
import { rememberInPieces } from '../../kit/timing/remember-in-pieces.ts';
import { decodeCursor, encodeCursor } from './paging.ts';

type ById = PolicySnapshot['byId'];

export interface PageRequest<Item> {
  readonly byId: ById;
  readonly limit: number;
  readonly cursor: string | undefined;
  /** Undefined: not on any page. */
  readonly pick: (compiled: CompiledMapping, id: string) => Item | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Undefined on the last page. */
  readonly nextCursor: string | undefined;
}

/** Of picks, which look at little. */
const perPiece = 500;

/** @throws BrokerError `query_invalid` if the cursor is not one of ours. */
export async function snapshotPage<Item>(request: PageRequest<Item>): Promise<Page<Item>> {
  return await inTurns(findingPage(request));
}

function* findingPage<Item>({
  byId,
  limit,
  cursor,
  pick,
}: PageRequest<Item>): PiecesOfWork<Page<Item>> {
  const after = decodeCursor(cursor, mappingIdPattern);
  const ids = yield* sortedIds(byId);
  const items: Item[] = [];
  let lastId = '';
  let looked = 0;
  for (let at = firstAfter(ids, after); at < ids.length; at += 1) {
    looked += 1;
    if (looked % perPiece === 0) yield;
    const id = ids[at] as string;
    const item = pick(byId.get(id) as CompiledMapping, id);
    if (item === undefined) continue;
    if (items.length === limit) return { items, nextCursor: encodeCursor(lastId) };
    items.push(item);
    lastId = id;
  }
  return { items, nextCursor: undefined };
}

/** The ids of one snapshot in order, for all its pages. */
const sortedIds = rememberInPieces((byId: ById) =>
  sortedInPieces(byId.keys(), (a, b) => (a < b ? -1 : 1)),
);

/** By bisection: the id itself may have been deleted meanwhile. */
function firstAfter(ids: readonly string[], id: string | undefined): number {
  if (id === undefined) return 0;
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] as string) <= id) low = middle + 1;
    else high = middle;
  }
  return low;
}
