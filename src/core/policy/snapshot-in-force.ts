import type { PolicySource } from '../ports.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';

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
