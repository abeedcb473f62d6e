import { isDeepStrictEqual } from 'node:util';
import type { MappingVersion } from './editing/mapping-history.ts';
import type { PolicySnapshot } from './policy/policy-snapshot.ts';
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

/** Whether it decides by just this version: a row that was written around the change log is none. */
export function isHeldBy(
  snapshot: PolicySnapshot | undefined,
  { id, version, mapping }: MappingVersion,
): boolean {
  const known = snapshot?.byId.get(id);
  return known?.version === version && isDeepStrictEqual(known.mapping, mapping);
}
