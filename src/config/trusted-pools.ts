/** The trusted pools of the configuration, with what follows from their issuers. */

import type { Config } from './schema.ts';

export function trustedPools({
  userPools,
  identityPools,
}: Pick<Config['identity'], 'userPools' | 'identityPools'>) {
  return {
    userPools: userPools.map((pool) => ({
      ...pool,
      jwksUri: pool.jwksUri ?? `${pool.issuer}/.well-known/jwks.json`,
    })),
    identityPools: identityPools.map((pool) => ({
      ...pool,
      jwksUri: pool.jwksUri ?? `${pool.issuer}/.well-known/jwks_uri`,
    })),
  };
}
