/** What a proposal starts from, and whether that is so still. */

import type { PolicySnapshot } from '../policy/policy-snapshot.ts';
import { type RoleMapping, roleMappingSchema } from '../policy/role-mapping.ts';
import type { QuarantinedMapping } from '../ports.ts';
import { isHeldBy } from '../snapshot-in-force.ts';
import type { MappingVersion } from './mapping-history.ts';
import type { RoleMappingStore } from './ports.ts';
import type { Proposal } from './proposal.ts';

/** Whether its mapping is what it starts from, and has not been there and gone in between. */
export async function isOfPresent(
  { mappingId, baseVersion, deletedVersion }: Proposal,
  current: MappingVersion | undefined,
  store: Pick<RoleMappingStore, 'versions'>,
): Promise<boolean> {
  if ((current?.version ?? 'absent') !== baseVersion) return false;
  return current !== undefined || (await lastVersion(mappingId, store)) === deletedVersion;
}

/**
 * Whether what a second administrator is shown as the mapping before is what is in force, whatever its row says or said (T327).
 * Where this instance cannot follow the table, there is no snapshot, and nothing speaks against it.
 */
export function isOfPolicy(
  { mappingId: id, baseVersion: version, before }: Proposal,
  snapshot: PolicySnapshot | undefined,
  quarantined: readonly QuarantinedMapping[],
): boolean {
  if (snapshot === undefined) return true;
  const held = snapshot.byId.get(id);
  if (version === 'absent') return held === undefined;
  // In the place of a row that cannot be read there may be an earlier version, or none.
  const unread = quarantined.some((one) => one.id === id);
  if (unread) return held === undefined || held.version <= version;
  return isHeldBy(snapshot, { id, version, mapping: parsedMapping(before) });
}

/** Undefined for what does not pass the checks of today. */
export function parsedMapping(document: unknown): RoleMapping | undefined {
  const parsed = roleMappingSchema.safeParse(document);
  return parsed.success ? parsed.data : undefined;
}

/** 0 if there never was one. */
export async function lastVersion(
  mappingId: string,
  store: Pick<RoleMappingStore, 'versions'>,
): Promise<number> {
  const [last] = await store.versions(mappingId, { limit: 1 });
  return last?.version ?? 0;
}
