/** What trust policies are made of, read off the configuration. */

import { trustedIssuersOf } from '../config/configured-issuers.ts';
import { webIdentityRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import type { PoolTokens, TrustSources } from '../web-identity/trust-policy.ts';

export function trustSources(config: Config, sourceVpce: string | undefined): TrustSources {
  const { byDefault } = webIdentityRules(config);
  return { byDefault, broker: config.webIdentity, pools: poolTokens(config), sourceVpce };
}

/** A pool whose tokens come under two issuers is two providers to IAM. */
function poolTokens({ identity }: Config): ReadonlyMap<string, readonly PoolTokens[]> {
  const pools = new Map<string, readonly PoolTokens[]>();
  for (const { name, issuer, shared, reach } of trustedIssuersOf(identity)) {
    const audiences = shared === undefined ? [...(reach.clients ?? [])] : [shared.audience];
    pools.set(name, [...(pools.get(name) ?? []), { issuer, audiences }]);
  }
  return pools;
}
