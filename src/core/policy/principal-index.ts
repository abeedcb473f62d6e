/** Role mappings by their principal. Most principals have a single mapping, which then stands without a list around it. */

import { eachInPieces, type PiecesOfWork } from '../../kit/timing/in-turns.ts';
import { type CompiledMapping, HeldMapping } from './compiled-mapping.ts';
import { type MapDraft, ShardedMap } from './sharded-map.ts';

/** Those of one principal: a list has two or more. */
export type Group = HeldMapping | readonly HeldMapping[];

export function membersOf(group: Group): readonly HeldMapping[] {
  return group instanceof HeldMapping ? [group] : group;
}

/** What changes in the mappings of one principal. */
export interface Regrouping {
  readonly key: string;
  readonly base: Group;
  /** Ids of mappings of the base. */
  readonly removed: Set<string>;
  readonly added: HeldMapping[];
}

const membersPerPiece = 5_000;

/** Undefined: none is left. Costs what the group has, however many of it change. */
export function* groupAfter({ base, removed, added }: Regrouping): PiecesOfWork<Group | undefined> {
  const members: HeldMapping[] = [];
  yield* eachInPieces(membersOf(base), membersPerPiece, (held) => {
    if (!removed.has(held.mapping.id)) members.push(held);
  });
  yield* eachInPieces(added, membersPerPiece, (held) => members.push(held));
  return members.length < 2 ? members[0] : members;
}

/** Keys are those of `principalKey`. */
export class PrincipalIndex {
  readonly #groups: ShardedMap<Group>;

  constructor(groups: ShardedMap<Group> = ShardedMap.of()) {
    this.#groups = groups;
  }

  get size(): number {
    return this.#groups.size;
  }

  /** The same list each time, where there are several. */
  get(key: string): readonly HeldMapping[] | undefined {
    const group = this.#groups.get(key);
    return group && membersOf(group);
  }

  /** For decisions. */
  inUse(key: string): readonly CompiledMapping[] {
    const group = this.#groups.get(key);
    if (group === undefined) return [];
    return group instanceof HeldMapping ? [group.inUse] : group.map(({ inUse }) => inUse);
  }

  *values(): Generator<readonly HeldMapping[], undefined> {
    for (const group of this.#groups.values()) yield membersOf(group);
  }

  *[Symbol.iterator](): Generator<[string, readonly HeldMapping[]], undefined> {
    for (const [key, group] of this.#groups) yield [key, membersOf(group)];
  }

  draft(): MapDraft<Group> {
    return this.#groups.draft();
  }
}
