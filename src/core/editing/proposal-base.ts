/** What a proposal starts from, and whether that is so still. */

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

/** 0 if there never was one. */
export async function lastVersion(
  mappingId: string,
  store: Pick<RoleMappingStore, 'versions'>,
): Promise<number> {
  const [last] = await store.versions(mappingId, { limit: 1 });
  return last?.version ?? 0;
}
