/** What `trust-policy` prints, held against the STS: it lets in what the mappings need, and nothing else. */

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { policyText } from '../../src/cli/policy-text.ts';
import { type RoleMappingInput, roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import { resourceControlPolicy, trustPolicy } from '../../src/web-identity/trust-policy.ts';
import { domainPool, mappingDocument, roleArn } from '../support/domain.ts';
import {
  accountId,
  type Claims,
  failureOf,
  type StsHarness,
  startStsHarness,
} from '../support/sts-harness.ts';

const role = roleArn('orders');
const clientId = '4abc0exampleclientid';
let sts: StsHarness;
beforeAll(async () => {
  sts = await startStsHarness();
});
afterAll(() => sts.stop());

function policyFor(
  session: RoleMappingInput['session'],
  byDefault: 'caller' | 'broker' = 'broker',
) {
  const mapping = roleMappingSchema.parse(
    mappingDocument('orders', { session, conditions: { caller: 'machine' } }),
  );
  const { url: issuer } = sts.issuer;
  return trustPolicy(role, [mapping], {
    byDefault,
    broker: { issuer, audience: clientId },
    pools: new Map([[domainPool, [{ issuer, audiences: [clientId] }]]]),
    sourceVpce: undefined,
  });
}

async function ask(policy: object, claims: Claims): Promise<string> {
  sts.sts.putRole({ arn: role, trustPolicy: policy });
  const WebIdentityToken = sts.token(claims);
  const exchange = sts.exchange({ RoleArn: role, WebIdentityToken });
  if ((await exchange.catch(() => undefined)) !== undefined) return 'ok';
  return (await failureOf(exchange)).message;
}

const named = { 'https://aws.amazon.com/roles': [role] };
const tagged = (tags: object, transitive: readonly string[] = []) => ({
  ...named,
  'https://aws.amazon.com/tags': {
    principal_tags: tags,
    ...(transitive.length === 0 ? {} : { transitive_tag_keys: transitive }),
  },
});
const sourced = { ...named, 'https://aws.amazon.com/source_identity': 'ada' };
const denied = 'Not authorized to perform sts:AssumeRoleWithWebIdentity';

describe('the trust policy for the identity of the broker', () => {
  it('lets in a token that names the role, and no token that does not', async () => {
    const policy = policyFor({});
    expect(await ask(policy, named)).toBe('ok');
    expect(await ask(policy, {})).toBe(denied);
  });

  it('is not even asked about a token for another role (T149)', async () => {
    const claims = { 'https://aws.amazon.com/roles': [roleArn('other')] };
    expect(await ask(policyFor({}), claims)).toBe(
      'The target role ARN is not present in the roles claim of the identity token',
    );
  });

  it('lets in tags and a source identity exactly where a mapping has them', async () => {
    const tags = { team: 'payments' };
    expect(await ask(policyFor({}), tagged({ team: ['a'] }))).toBe(denied);
    expect(await ask(policyFor({}), sourced)).toBe(denied);
    expect(await ask(policyFor({ tags }), tagged({ team: ['a'] }))).toBe('ok');
    expect(await ask(policyFor({ tags }), tagged({ tenant: ['a'] }))).toBe(denied);
    expect(await ask(policyFor({ tags }), tagged({ team: ['a'] }, ['team']))).toBe(denied);
    expect(await ask(policyFor({ tags }), sourced)).toBe(denied);
    const transitive = policyFor({ tags, transitiveTags: ['team'] });
    expect(await ask(transitive, tagged({ team: ['a'] }, ['team']))).toBe('ok');
    expect(await ask(policyFor({ sourceIdentity: 'ada' }), sourced)).toBe('ok');
  });
});

describe('the trust policy for callers’ own tokens', () => {
  it('pins audience and subject', async () => {
    const policy = policyFor({}, 'caller');
    expect(await ask(policy, { sub: clientId })).toBe('ok');
    expect(await ask(policy, { sub: 'somebody-else' })).toBe(denied);
    expect(policy.Statement[0]?.Condition).toEqual({
      StringEquals: {
        [`${sts.providerName}:aud`]: [clientId],
        [`${sts.providerName}:sub`]: [clientId],
      },
    });
  });
});

describe('a policy is printed', () => {
  it('for CloudFormation and Terraform with the same words', () => {
    const policy = policyFor({ tags: { team: 'a' } });
    expect(policyText(policy, 'cloudformation')).toContain('AssumeRolePolicyDocument:');
    const terraform = policyText(policy, 'terraform');
    expect(terraform).toContain('test     = "ForAllValues:StringEquals"');
    expect(terraform).toContain('variable = "sts:RoleAuthorizedByIdp"');
    expect(JSON.parse(policyText(policy, 'json'))).toEqual(policy);
  });

  it('for the organization against every token that does not name the role', () => {
    expect(resourceControlPolicy('https://identity.example.com/x').Statement).toEqual([
      {
        Sid: 'TokenBrokerOneRolePerToken',
        Effect: 'Deny',
        Principal: '*',
        Action: 'sts:AssumeRoleWithWebIdentity',
        Resource: '*',
        Condition: {
          ArnLike: { 'aws:FederatedProvider': 'arn:*:iam::*:oidc-provider/identity.example.com/x' },
          BoolIfExists: { 'sts:RoleAuthorizedByIdp': 'false' },
        },
      },
    ]);
  });
});

describe('the policy of the organization', () => {
  /** As STS asks both: a deny of either wins. */
  const under = (rcp: object, trust: object) => {
    const [{ Resource: _everyRole, ...deny }] = (rcp as { readonly Statement: readonly [Claims] })
      .Statement;
    const { Statement } = trust as { readonly Statement: readonly object[] };
    return { Version: '2012-10-17', Statement: [...Statement, deny] };
  };
  const careless = () => sts.trustPolicy();

  it('holds where a trust policy forgets to ask whether the token names the role (T149)', async () => {
    const rcp = resourceControlPolicy(sts.issuer.url);
    expect(await ask(careless(), {})).toBe('ok');
    expect(await ask(under(rcp, careless()), {})).toBe(denied);
    expect(await ask(under(rcp, careless()), { 'https://aws.amazon.com/roles': null })).toBe(
      denied,
    );
    expect(await ask(under(rcp, careless()), named)).toBe('ok');
    expect(await ask(under(rcp, policyFor({})), named)).toBe('ok');
  });

  it('is not about the tokens of other providers', async () => {
    const rcp = resourceControlPolicy('https://identity.example.com/x');
    expect(await ask(under(rcp, careless()), {})).toBe('ok');
  });

  it('is printed as CloudFormation has it', () => {
    const rcp = resourceControlPolicy('https://identity.example.com/x');
    expect(policyText(rcp, 'cloudformation', 'Content')).toMatch(/^Content:\n {2}Version: /);
  });
});

it('names the provider in the account of the role', () => {
  const Principal = { Federated: `arn:aws:iam::${accountId}:oidc-provider/${sts.providerName}` };
  expect(policyFor({}).Statement[0]).toMatchObject({ Principal });
});
