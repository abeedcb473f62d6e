/** The rules that configuration sets for role mappings, the same for every way in: API, table and files. */

import type { MappingRules, WebIdentityRules, WritingRules } from '../core/policy/mapping-check.ts';
import { knownPools } from '../identity/trusted-issuers.ts';
import { trustedIssuersOf } from './configured-issuers.ts';
import type { Config } from './schema.ts';

export function mappingRules(config: Config): MappingRules {
  const { identity, guardrails, sts } = config;
  const { allowedPartitions = sts.endpoints.map(({ region }) => partitionOf(region)) } = guardrails;
  return {
    matchableClaims: new Set(identity.matchableClaims),
    guardrails: { ...guardrails, allowedPartitions },
    webIdentity: webIdentityRules(config),
  };
}

export function webIdentityRules({ webIdentity }: Config): WebIdentityRules {
  return webIdentity === undefined
    ? { byDefault: 'caller', brokerIssues: false }
    : { byDefault: webIdentity.default, brokerIssues: true };
}

/** For what is written: it must match somebody whose tokens are accepted. */
export function writingRules(config: Config): WritingRules {
  return { ...mappingRules(config), pools: knownPools(trustedIssuersOf(config.identity)) };
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
