/**
 * Every app client that tokens come from is an audience of the pool's OIDC provider in the account of the role: how many
 * there are already, asked for each mapping of a policy, so read off an index.
 */

import { remember } from '../remember.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';
import type { RoleMapping } from './role-mapping.ts';

/** App clients that one provider would have to take with this mapping; undefined if the mapping adds none. */
export function providerClients(
  mapping: RoleMapping,
  snapshot: PolicySnapshot,
): number | undefined {
  const audience = audienceOf(mapping);
  if (audience === undefined) return undefined;
  const known = clientsByProvider(snapshot.byId).get(audience.provider);
  if (known === undefined) return 1;
  return known.has(audience.client) ? known.size : known.size + 1;
}

const clientsByProvider = remember((byId: PolicySnapshot['byId']) => {
  const index = new Map<string, Set<string>>();
  for (const { mapping } of byId.values()) {
    const audience = audienceOf(mapping);
    if (audience === undefined) continue;
    const known = index.get(audience.provider);
    if (known === undefined) index.set(audience.provider, new Set([audience.client]));
    else known.add(audience.client);
  }
  return index;
});

function audienceOf({ effect, enabled, principal, role }: RoleMapping) {
  if (effect !== 'allow' || !enabled || !('client' in principal)) return undefined;
  const account = /^arn:[^:]+:iam::\d+:/.exec(role)?.[0];
  if (account === undefined) return undefined;
  return { provider: `${account}\n${principal.pool}`, client: principal.client };
}
