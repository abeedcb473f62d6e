/**
 * Denies that do not come from the table: they count in every decision, whatever else is down. Whom they name is
 * denied as by a mapping of the table; a token that they name is refused wherever it is shown.
 */

import type { Caller } from '../caller.ts';
import { compileMapping } from './compiled-mapping.ts';
import { changeSnapshot, type PolicySnapshot } from './policy-snapshot.ts';
import { type Principal, type RoleMapping, roleMappingSchema } from './role-mapping.ts';

export interface EmergencyDeny {
  readonly principal: Principal;
  /** ARN, or `*`. */
  readonly role: string;
  readonly reason: string;
}

export interface EmergencyDenies {
  readonly denies: readonly EmergencyDeny[];
  /** Values of `jti` or `origin_jti`. */
  readonly tokens: ReadonlySet<string>;
}

export const noDenies: EmergencyDenies = { denies: [], tokens: new Set() };

export const everything: Principal = { pool: '*', any: true };

export function isDeniedToken(
  { tokens }: EmergencyDenies,
  { tokenId, originTokenId }: Pick<Caller, 'tokenId' | 'originTokenId'>,
): boolean {
  if (tokens.size === 0) return false;
  return [tokenId, originTokenId].some((id) => id !== undefined && tokens.has(id));
}

/** The snapshot with these denies laid over it. */
export function withDenies(snapshot: PolicySnapshot, denies: EmergencyDenies): PolicySnapshot {
  const after = mappingsOf(denies, snapshot).map((mapping) => ({ mapping, version: 1 }));
  const changed =
    after.length === 0
      ? snapshot
      : changeSnapshot(snapshot, snapshot.revision, [{ before: [], after }]);
  if (denies.tokens.size === 0) return changed;
  return {
    ...changed,
    // Whoever waited with the token that is denied now is decided upon anew, by this.
    mappingsFor: (caller) =>
      isDeniedToken(denies, caller)
        ? [...changed.mappingsFor(caller), tokenDenied]
        : changed.mappingsFor(caller),
  };
}

function mappingsOf({ denies }: EmergencyDenies, { byId }: PolicySnapshot): RoleMapping[] {
  let number = 0;
  return denies.map(({ principal, role, reason }) => {
    do number += 1;
    while (byId.get(`emergency-file-${number}`) !== undefined);
    return denyMapping(`emergency-file-${number}`, { principal, role, reason });
  });
}

function denyMapping(id: string, { principal, role, reason }: EmergencyDeny): RoleMapping {
  const owner = 'emergency-file';
  const effect = 'deny';
  return roleMappingSchema.parse({ id, description: reason, principal, effect, role, owner });
}

const tokenDenied = compileMapping({
  mapping: denyMapping('emergency-file-token', { principal: everything, role: '*', reason: '' }),
  version: 1,
});
