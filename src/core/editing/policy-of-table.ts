import type { PolicySnapshot } from '../policy/policy-snapshot.ts';
import type { LivePolicy } from '../ports.ts';
import { snapshotInForce } from '../snapshot-in-force.ts';
import type { RoleMappingStore } from './ports.ts';

/**
 * What others have just written may lie behind an edit. A policy that could not follow the table still serves, but says
 * nothing of that: undefined (T230).
 */
export async function policyOfTable(
  policy: LivePolicy,
  store: Pick<RoleMappingStore, 'head'>,
): Promise<PolicySnapshot | undefined> {
  const before = await store.head();
  await policy.refresh();
  const snapshot = snapshotInForce(policy);
  if (snapshot === undefined || snapshot.revision < before) return undefined;
  // Ahead of a table that was put back to an earlier state.
  return snapshot.revision <= (await store.head()) ? snapshot : undefined;
}
