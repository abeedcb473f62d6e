/** Role mappings, their versions and their changes as the admin listener prints them. */

import type { MappingChange, MappingVersion } from '../../core/editing/mapping-history.ts';
import type { PolicySource, RecentDecisions } from '../../core/ports.ts';
import { isHeldBy, snapshotInForce } from '../../core/snapshot-in-force.ts';

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

/**
 * The current version as the table has it, and whether this instance decides by it. Nobody verifies a row that is
 * read for an editor: one that was written around the API, or forged, is not in force however long one waits.
 * When credentials were last issued by it is what this instance knows too.
 */
export function currentDocument(
  current: MappingVersion,
  policy: PolicySource,
  decisions: RecentDecisions,
) {
  return {
    ...versionDocument(current),
    inForce: isHeldBy(snapshotInForce(policy), current),
    lastIssuedAt: decisions.lastIssued(current.id) ?? null,
    issuedSince: decisions.since,
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
  override,
  approvedBy,
  proposal,
}: MappingVersion | MappingChange) {
  return {
    version,
    revision,
    action,
    updatedAt,
    updatedBy,
    actorProven,
    reason,
    override,
    approvedBy,
    proposal,
  };
}
