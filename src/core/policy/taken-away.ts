/** What a freeze takes away: the allows in force that name whom it freezes. */

import { mappingStatus } from './permissions.ts';
import { type PolicySnapshot, principalKey } from './policy-snapshot.ts';
import { roleKey } from './role-key.ts';
import type { Principal, RoleMapping } from './role-mapping.ts';

export interface TakenAway {
  readonly mappings: number;
  /** Different ones. */
  readonly roles: number;
}

/**
 * Whoever is frozen may hold more by mappings of another kind (a user by the groups), and loses it as well; who
 * that is nobody knows before they come.
 */
export function takenAway(
  { principal, role }: Pick<RoleMapping, 'principal' | 'role'>,
  snapshot: PolicySnapshot,
  now: number,
): TakenAway {
  const key = role === '*' ? undefined : roleKey(role);
  const roles = new Set<string>();
  let mappings = 0;
  for (const compiled of candidates(principal, snapshot)) {
    const { effect, principal: whose } = compiled.mapping;
    if (effect === 'deny' || !isFrozen(whose, principal)) continue;
    if (key !== undefined && key !== compiled.roleKey) continue;
    if (mappingStatus(compiled, now) !== 'in_force') continue;
    mappings += 1;
    roles.add(compiled.roleKey);
  }
  return { mappings, roles: roles.size };
}

function candidates(principal: Principal, { byId, byPrincipal }: PolicySnapshot) {
  return 'any' in principal ? byId.values() : (byPrincipal.get(principalKey(principal)) ?? []);
}

function isFrozen(whose: Principal, frozen: Principal): boolean {
  return !('any' in frozen) || frozen.pool === '*' || frozen.pool === whose.pool;
}
