/** What a proposal starts from, and whether that is so still. */

import type { PolicySnapshot } from '../policy/policy-snapshot.ts';
import type { QuarantinedMapping } from '../ports.ts';
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

/** A row that was put back brings no proposal back with it: what is in force may have moved on, and tells (T327). */
export function isOfPolicy(
  { mappingId, baseVersion }: Proposal,
  { byId }: PolicySnapshot,
  quarantined: readonly QuarantinedMapping[],
): boolean {
  const held = byId.get(mappingId)?.version;
  if (held !== undefined) return baseVersion !== 'absent' && held <= baseVersion;
  // A row that cannot be read may have an earlier version in its place, or none.
  return baseVersion === 'absent' || quarantined.some(({ id }) => id === mappingId);
}

/** 0 if there never was one. */
export async function lastVersion(
  mappingId: string,
  store: Pick<RoleMappingStore, 'versions'>,
): Promise<number> {
  const [last] = await store.versions(mappingId, { limit: 1 });
  return last?.version ?? 0;
}
