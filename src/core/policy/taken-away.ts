/** What a freeze takes away: the allows in force that name whom it freezes. */

import { eachInPieces, type PiecesOfWork } from '../../kit/timing/in-turns.ts';
import type { CompiledMapping } from './compiled-mapping.ts';
import { mappingStatus } from './permissions.ts';
import { type PolicySnapshot, principalKey } from './policy-snapshot.ts';
import { roleKey } from './role-key.ts';
import type { RoleMapping } from './role-mapping.ts';
import { ShardedSet } from './sharded-set.ts';

export interface TakenAway {
  readonly mappings: number;
  /** Different ones. */
  readonly roles: number;
}

type Freeze = Pick<RoleMapping, 'principal' | 'role'>;

const perPiece = 200;

/**
 * By each of several freezes. Whoever is frozen may hold more by mappings of another kind (a user by the groups), and
 * loses it as well; who that is nobody knows before they come.
 */
export function* takingAway(
  freezes: readonly Freeze[],
  { byId, byPrincipal }: PolicySnapshot,
  now: number,
): PiecesOfWork<readonly TakenAway[]> {
  const tallies = freezes.map((freeze) => new Tally(freeze, now));
  // One walk for all that are about everybody, however many there are.
  const aboutAny = byRole(tallies.filter(({ freeze }) => 'any' in freeze.principal));
  if (aboutAny.size > 0) {
    const ofEveryRole = aboutAny.get('*') ?? [];
    yield* eachInPieces(byId.values(), perPiece, (compiled) => {
      if (compiled.effect === 'deny') return;
      for (const tally of ofEveryRole) tally.count(compiled);
      for (const tally of aboutAny.get(compiled.roleKey) ?? []) tally.count(compiled);
    });
  }
  for (const tally of tallies) {
    const { principal } = tally.freeze;
    if ('any' in principal) continue;
    const named = byPrincipal.get(principalKey(principal)) ?? [];
    yield* eachInPieces(named, perPiece, (compiled) => {
      if (tally.key === '*' || tally.key === compiled.roleKey) tally.count(compiled);
    });
  }
  return tallies.map(({ takenAway }) => takenAway);
}

function byRole(tallies: readonly Tally[]): ReadonlyMap<string, readonly Tally[]> {
  const found = new Map<string, Tally[]>();
  for (const tally of tallies) {
    const alike = found.get(tally.key);
    if (alike === undefined) found.set(tally.key, [tally]);
    else alike.push(tally);
  }
  return found;
}

class Tally {
  readonly freeze: Freeze;
  readonly key: string;
  readonly #now: number;
  #mappings = 0;
  readonly #roles = new ShardedSet();

  constructor(freeze: Freeze, now: number) {
    this.freeze = freeze;
    this.key = freeze.role === '*' ? '*' : roleKey(freeze.role);
    this.#now = now;
  }

  get takenAway(): TakenAway {
    return { mappings: this.#mappings, roles: this.#roles.size };
  }

  /** One of a role that is frozen. */
  count(compiled: CompiledMapping): void {
    const { effect, principal } = compiled.mapping;
    if (effect === 'deny' || !this.#isFrozen(principal.pool)) return;
    if (mappingStatus(compiled, this.#now) !== 'in_force') return;
    this.#mappings += 1;
    this.#roles.add(compiled.roleKey);
  }

  #isFrozen(pool: string): boolean {
    const { principal } = this.freeze;
    return !('any' in principal) || principal.pool === '*' || principal.pool === pool;
  }
}
