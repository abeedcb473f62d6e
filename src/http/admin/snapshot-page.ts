/** Pages of the policy in memory, in the order of ids. */

import type { CompiledMapping } from '../../core/policy/compiled-mapping.ts';
import type { PolicySnapshot } from '../../core/policy/policy-snapshot.ts';
import { mappingIdPattern } from '../../core/policy/role-mapping.ts';
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

/** @throws BrokerError `query_invalid` if the cursor is not one of ours. */
export type SnapshotPage = <Item>(request: PageRequest<Item>) => Page<Item>;

export function snapshotPages(): SnapshotPage {
  const sortedIds = rememberedIds();
  return <Item>({ byId, limit, cursor, pick }: PageRequest<Item>): Page<Item> => {
    const ids = sortedIds(byId);
    const items: Item[] = [];
    let lastId = '';
    for (
      let at = firstAfter(ids, decodeCursor(cursor, mappingIdPattern));
      at < ids.length;
      at += 1
    ) {
      const id = ids[at] as string;
      const item = pick(byId.get(id) as CompiledMapping, id);
      if (item === undefined) continue;
      if (items.length === limit) return { items, nextCursor: encodeCursor(lastId) };
      items.push(item);
      lastId = id;
    }
    return { items, nextCursor: undefined };
  };
}

/** The ids of one snapshot in order; sorting 100,000 of them for every page would hold up other requests. */
function rememberedIds(): (byId: ById) => readonly string[] {
  const remembered = new WeakMap<ById, readonly string[]>();
  return (byId) => {
    let ids = remembered.get(byId);
    if (ids === undefined) {
      ids = [...byId.keys()].sort((a, b) => (a < b ? -1 : 1));
      remembered.set(byId, ids);
    }
    return ids;
  };
}

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
