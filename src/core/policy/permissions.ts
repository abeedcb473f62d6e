/** What a principal can get, by the policy alone: conditions are shown, not judged. */

import type { CompiledMapping } from './compiled-mapping.ts';
import type { TimeStatus } from './conditions/conditions.ts';
import { covers } from './decide.ts';
import { type PolicySnapshot, principalKey } from './policy-snapshot.ts';
import type { Principal } from './role-mapping.ts';

export type MappingStatus = 'in_force' | 'disabled' | TimeStatus | 'denied';

/** At least one of the names; a caller may come as all of them at once. */
export interface DescribedPrincipal {
  readonly pool: string;
  readonly client?: string | undefined;
  readonly user?: string | undefined;
  readonly groups?: readonly string[] | undefined;
}

export interface Permissions {
  /** Whether the mapping is about this principal. */
  concerns(compiled: CompiledMapping): boolean;
  /** `denied`: a deny in force takes the role away, whatever the request is like. */
  statusOf(compiled: CompiledMapping): MappingStatus;
}

export function permissionsOf(
  { byPrincipal }: PolicySnapshot,
  principal: DescribedPrincipal,
  now: number,
): Permissions {
  const keys = new Set(principalsOf(principal).map(principalKey));
  const denies = [...keys]
    .flatMap((key) => byPrincipal.get(key) ?? [])
    .filter((compiled) => deniesAlways(compiled) && mappingStatus(compiled, now) === 'in_force');
  return {
    concerns: ({ mapping }) => keys.has(principalKey(mapping.principal)),
    statusOf(compiled) {
      const status = mappingStatus(compiled, now);
      if (status !== 'in_force' || compiled.mapping.effect === 'deny') return status;
      return denies.some((deny) => covers(deny, compiled)) ? 'denied' : status;
    },
  };
}

/** By the mapping's own terms, whatever others deny. */
export function mappingStatus(
  { mapping, checks }: CompiledMapping,
  now: number,
): Exclude<MappingStatus, 'denied'> {
  if (!mapping.enabled) return 'disabled';
  for (const check of checks) {
    if (check.judgedBy === 'time' && !check.holds({ now })) return check.status;
  }
  return 'in_force';
}

function principalsOf({
  pool,
  client,
  user,
  groups = [],
}: DescribedPrincipal): readonly Principal[] {
  return [
    { pool: '*', any: true },
    { pool, any: true },
    ...(client === undefined ? [] : [{ pool, client }]),
    ...(user === undefined ? [] : [{ pool, user }]),
    ...groups.map((group) => ({ pool, group })),
  ];
}

function deniesAlways({ mapping, checks }: CompiledMapping): boolean {
  return mapping.effect === 'deny' && checks.every(({ judgedBy }) => judgedBy === 'time');
}
