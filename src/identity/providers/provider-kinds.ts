/** The kinds of identity providers, by the list of the configuration that has their issuers. */

import { identityPool } from './identity-pool.ts';
import type { ProviderKind } from './provider.ts';
import { userPool } from './user-pool.ts';

export const providerKinds = {
  userPools: userPool,
  identityPools: identityPool,
  // Add new ones here: each is a file of this folder.
} satisfies Record<string, ProviderKind>;
