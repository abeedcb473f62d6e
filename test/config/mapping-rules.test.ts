import { describe, expect, it } from '@jest/globals';
import { mappingRules } from '../../src/config/mapping-rules.ts';
import { configSchema } from '../../src/config/schema.ts';

function rulesFor(regions: readonly string[], guardrails?: object) {
  return mappingRules(
    configSchema.parse({
      profile: 'production',
      identity: { matchableClaims: ['custom:team'] },
      policy: { table: 'role-mappings', region: 'us-east-1' },
      sts: { endpoints: regions.map((region) => ({ region })) },
      audit: {},
      ...(guardrails === undefined ? {} : { guardrails }),
    }),
  );
}

describe('the rules that configuration sets for role mappings', () => {
  it.each([
    ['us-east-1', 'aws'],
    ['eu-central-1', 'aws'],
    ['cn-north-1', 'aws-cn'],
    ['us-gov-west-1', 'aws-us-gov'],
    ['us-iso-east-1', 'aws-iso'],
    ['us-isob-east-1', 'aws-iso-b'],
    ['eu-isoe-west-1', 'aws-iso-e'],
    ['us-isof-south-1', 'aws-iso-f'],
    ['eusc-de-east-1', 'aws-eusc'],
  ])('allow roles of the partition that STS of %s knows', (region, partition) => {
    expect(rulesFor([region]).guardrails.allowedPartitions).toEqual([partition]);
  });

  it('allow the partitions that are listed, and no others', () => {
    const { guardrails } = rulesFor(['us-east-1'], { allowedPartitions: ['aws-us-gov'] });
    expect(guardrails.allowedPartitions).toEqual(['aws-us-gov']);
  });

  it('replace the names that are forbidden by themselves with those that are listed', () => {
    const { guardrails } = rulesFor(['us-east-1'], { forbiddenRoleNames: ['Root*'] });
    expect(guardrails.forbiddenRoleNames).toEqual(['Root*']);
  });

  it('hold the claims that may be matched (T17)', () => {
    expect([...rulesFor(['us-east-1']).matchableClaims]).toEqual(['custom:team']);
  });
});
