/** Role mappings, their versions and their changes as the admin listener prints them. */

import type { MappingChange, MappingVersion } from '../../core/policy/mapping-history.ts';

export function versionDocument(version: MappingVersion) {
  const { id, mapping, faults, document } = version;
  return {
    id,
    ...facts(version),
    mapping: mapping ?? null,
    // For repair: what the row holds, and what is wrong with it.
    ...(faults.length === 0 ? {} : { faults, document: document ?? null }),
  };
}

export function changeDocument(change: MappingChange) {
  return {
    ...facts(change),
    id: change.id,
    before: change.before ?? null,
    after: change.after ?? null,
  };
}

function facts({
  version,
  revision,
  action,
  updatedAt,
  updatedBy,
  actorProven,
  reason,
}: MappingVersion | MappingChange) {
  return { version, revision, action, updatedAt, updatedBy, actorProven, reason };
}
