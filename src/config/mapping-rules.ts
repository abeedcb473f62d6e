/** The rules that configuration sets for role mappings, the same for every way in: API, table and files. */

import type { MappingRules, WritingRules } from '../core/policy/mapping-check.ts';
import type { KnownPool, KnownPools } from '../core/policy/mapping-reach.ts';
import type { Config } from './schema.ts';

export function mappingRules({ identity, guardrails, sts }: Config): MappingRules {
  const { allowedPartitions = sts.endpoints.map(({ region }) => partitionOf(region)) } = guardrails;
  return {
    matchableClaims: new Set(identity.matchableClaims),
    guardrails: { ...guardrails, allowedPartitions },
  };
}

/** For what is written: it must match somebody whose tokens are accepted. */
export function writingRules(config: Config): WritingRules {
  return { ...mappingRules(config), pools: knownPools(config.identity) };
}

function knownPools({ userPools, identityPools }: Config['identity']): KnownPools {
  return new Map([
    ...userPools.map(({ pool, clients, tokenUse }): readonly [string, KnownPool] => {
      const accessTokens = tokenUse.includes('access');
      const listed = new Set(clients);
      return [pool, { kind: 'user_pool', clients: listed, accessTokens, guests: false }];
    }),
    ...identityPools.map(({ pool, allowUnauthenticated }): readonly [string, KnownPool] => {
      const guests = allowUnauthenticated;
      return [pool, { kind: 'identity_pool', clients: new Set(), accessTokens: false, guests }];
    }),
  ]);
}

/** By the beginning of the region's name; all others belong to the partition `aws`. */
const partitions: readonly (readonly [prefix: string, partition: string])[] = [
  ['cn-', 'aws-cn'],
  ['us-gov-', 'aws-us-gov'],
  ['us-iso-', 'aws-iso'],
  ['us-isob-', 'aws-iso-b'],
  ['eu-isoe-', 'aws-iso-e'],
  ['us-isof-', 'aws-iso-f'],
  ['eusc-', 'aws-eusc'],
];

/** STS of one partition knows no role of another. */
function partitionOf(region: string): string {
  return partitions.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'aws';
}
