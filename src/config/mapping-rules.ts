/** The rules that configuration sets for role mappings, the same for every way in: API, table and files. */

import type { MappingRules } from '../core/mapping-check.ts';
import type { Config } from './schema.ts';

export function mappingRules({ identity, guardrails, sts }: Config): MappingRules {
  const { allowedPartitions = sts.endpoints.map(({ region }) => partitionOf(region)) } = guardrails;
  return {
    matchableClaims: new Set(identity.matchableClaims),
    guardrails: { ...guardrails, allowedPartitions },
  };
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
