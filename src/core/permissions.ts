/** What a principal can get, by the policy alone: conditions are shown, not judged. */

import { covers } from './decide.ts';
import { type CompiledMapping, type PolicySnapshot, principalKey } from './policy-snapshot.ts';
import type { Principal } from './role-mapping.ts';

export const mappingStatuses = [
  'in_force',
  'disabled',
  'not_yet_valid',
  'expired',
  'denied',
] as const;
export type MappingStatus = (typeof mappingStatuses)[number];

/** At least one of the names; a caller may come as all of them at once. */
export interface DescribedPrincipal {
  readonly pool: string;
  readonly client?: string | undefined;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
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
  { mapping, notBefore, expiresAt }: CompiledMapping,
  now: number,
): Exclude<MappingStatus, 'denied'> {
  if (!mapping.enabled) return 'disabled';
  if (now < notBefore) return 'not_yet_valid';
  return now < expiresAt ? 'in_force' : 'expired';
}

function principalsOf({ pool, client, user, group }: DescribedPrincipal): readonly Principal[] {
  return [
    { pool: '*', any: true },
    { pool, any: true },
    ...(client === undefined ? [] : [{ pool, client }]),
    ...(user === undefined ? [] : [{ pool, user }]),
    ...(group === undefined ? [] : [{ pool, group }]),
  ];
}

function deniesAlways({ mapping }: CompiledMapping): boolean {
  const { scopes, claims, sourceCidrs } = mapping.conditions;
  return mapping.effect === 'deny' && !scopes && !claims && !sourceCidrs;
}
