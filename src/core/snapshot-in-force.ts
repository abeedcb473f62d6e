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
