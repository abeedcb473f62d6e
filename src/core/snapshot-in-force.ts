import { isDeepStrictEqual } from 'node:util';
import type { PolicySnapshot } from './policy/policy-snapshot.ts';
import type { RoleMapping } from './policy/role-mapping.ts';
import type { PolicySource } from './ports.ts';

/**
 * The policy in force; undefined where there is none, or it is too old to decide by. For what must answer all the same:
 * whoever decides lets `current()` throw.
 */
export function snapshotInForce(policy: PolicySource): PolicySnapshot | undefined {
  try {
    return policy.current();
  } catch {
    return undefined;
  }
}

/** A row of the table, whoever wrote it. */
interface VersionOfMapping {
  readonly id: string;
  readonly version: number;
  readonly mapping: RoleMapping | undefined;
}

/** Whether it decides by just this version: a row that was written around the change log is none. */
export function isHeldBy(
  snapshot: PolicySnapshot | undefined,
  { id, version, mapping }: VersionOfMapping,
): boolean {
  const known = snapshot?.byId.get(id);
  return known?.version === version && isDeepStrictEqual(known.mapping, mapping);
}
