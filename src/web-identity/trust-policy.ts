/**
 * The trust policy that a role needs for the mappings that name it: no more than they use, and nobody past the broker
 * where the broker's token makes that possible.
 */

import { roleArnPattern } from '../core/aws-names.ts';
import { roleKey } from '../core/policy/role-key.ts';
import type { RoleMapping } from '../core/policy/role-mapping.ts';
import type { IdentityForm } from '../core/session/session-settings.ts';

export interface TrustSources {
  /** Of mappings that do not say. */
  readonly byDefault: IdentityForm;
  /** Undefined where the broker issues no tokens. */
  readonly broker: { readonly issuer: string; readonly audience: string } | undefined;
  /** By the name that mappings give a pool. */
  readonly pools: ReadonlyMap<string, readonly PoolTokens[]>;
  /** VPC endpoint that callers' own tokens must come through: without it they work without the broker. */
  readonly sourceVpce: string | undefined;
}

/** Tokens of a pool under one issuer. */
export interface PoolTokens {
  readonly issuer: string;
  readonly audiences: readonly string[];
}

export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Principal: '*' | { readonly Federated: string };
  readonly Action: string | readonly string[];
  readonly Resource?: string;
  readonly Condition: Conditions;
}

type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

export interface PolicyDocument {
  readonly Version: '2012-10-17';
  readonly Statement: readonly PolicyStatement[];
}

/** The statements for that role, read off the enabled allows among the mappings; empty if none names it. */
export function trustPolicy(
  roleArn: string,
  mappings: readonly RoleMapping[],
  sources: TrustSources,
): PolicyDocument {
  const key = roleKey(roleArn);
  const ours = mappings.filter(({ effect, enabled, role }) => {
    return effect === 'allow' && enabled && roleKey(role) === key;
  });
  const formOf = ({ session }: RoleMapping) => session.identity ?? sources.byDefault;
  return {
    Version: '2012-10-17',
    Statement: [
      ...brokersStatements(
        roleArn,
        ours.filter((one) => formOf(one) === 'broker'),
        sources,
      ),
      ...callersStatements(
        roleArn,
        ours.filter((one) => formOf(one) === 'caller'),
        sources,
      ),
    ],
  };
}

/** For a whole organization: whatever a trust policy says, a token of the broker opens the role that it names alone. */
export function resourceControlPolicy(issuer: string): PolicyDocument {
  const provider = `arn:*:iam::*:oidc-provider/${providerName(issuer)}`;
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'TokenBrokerOneRolePerToken',
        Effect: 'Deny',
        Principal: '*',
        Action: 'sts:AssumeRoleWithWebIdentity',
        Resource: '*',
        Condition: {
          ArnLike: { 'aws:FederatedProvider': provider },
          // The key is absent unless the token names the role.
          BoolIfExists: { 'sts:RoleAuthorizedByIdp': 'false' },
        },
      },
    ],
  };
}

function brokersStatements(
  roleArn: string,
  mappings: readonly RoleMapping[],
  { broker }: TrustSources,
): PolicyStatement[] {
  if (mappings.length === 0 || broker === undefined) return [];
  const Principal = { Federated: providerArn(roleArn, broker.issuer) };
  const audience = {
    StringEquals: { [`${providerName(broker.issuer)}:aud`]: literal(broker.audience) },
  };
  const assume: PolicyStatement = {
    Sid: 'TokenBroker',
    Effect: 'Allow',
    Principal,
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: { ...audience, Bool: { 'sts:RoleAuthorizedByIdp': 'true' } },
  };
  const keys = uniqueSorted(mappings.flatMap(({ session }) => Object.keys(session.tags ?? {})));
  const transitive = uniqueSorted(mappings.flatMap(({ session }) => session.transitiveTags ?? []));
  const tag: PolicyStatement = {
    Sid: 'TokenBrokerTags',
    Effect: 'Allow',
    Principal,
    Action: 'sts:TagSession',
    Condition: {
      ...audience,
      'ForAllValues:StringEquals': {
        'aws:TagKeys': keys,
        ...(transitive.length === 0 ? {} : { 'sts:TransitiveTagKeys': transitive }),
      },
      ...(transitive.length === 0 ? { Null: { 'sts:TransitiveTagKeys': 'true' } } : {}),
    },
  };
  const name: PolicyStatement = {
    Sid: 'TokenBrokerSourceIdentity',
    Effect: 'Allow',
    Principal,
    Action: 'sts:SetSourceIdentity',
    Condition: audience,
  };
  const named = mappings.some(({ session }) => session.sourceIdentity !== undefined);
  return [assume, ...(keys.length === 0 ? [] : [tag]), ...(named ? [name] : [])];
}

/** One for each issuer of each pool. */
function callersStatements(
  roleArn: string,
  mappings: readonly RoleMapping[],
  { pools, sourceVpce }: TrustSources,
): PolicyStatement[] {
  const named = uniqueSorted(mappings.map(({ principal }) => principal.pool));
  const issuers = named.flatMap((pool) => {
    const ofPool = mappings.filter(({ principal }) => principal.pool === pool);
    return (pools.get(pool) ?? []).map((tokens) => ({ tokens, ofPool }));
  });
  return issuers.map(({ tokens, ofPool }, index) => {
    const name = providerName(tokens.issuer);
    const subjects = subjectsOf(ofPool);
    return {
      Sid: `CallersOfPool${index + 1}`,
      Effect: 'Allow',
      Principal: { Federated: providerArn(roleArn, tokens.issuer) },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: {
        StringEquals: {
          [`${name}:aud`]: audiencesOf(ofPool, tokens).map(literal),
          ...(subjects === undefined ? {} : { [`${name}:sub`]: subjects.map(literal) }),
          ...(sourceVpce === undefined ? {} : { 'aws:SourceVpce': sourceVpce }),
        },
      },
    };
  });
}

function audiencesOf(mappings: readonly RoleMapping[], { audiences }: PoolTokens) {
  const clients = mappings.map(({ principal }) => ('client' in principal ? principal.client : ''));
  return uniqueSorted(clients.includes('') ? audiences : clients);
}

/** Undefined where the mappings are not for subjects that can be listed. */
function subjectsOf(mappings: readonly RoleMapping[]): readonly string[] | undefined {
  const subjects = mappings.map((mapping) => subjectOf(mapping) ?? '');
  return subjects.includes('') ? undefined : uniqueSorted(subjects);
}

/** The one subject whose tokens a mapping is for; undefined if there is none that can be told. */
export function subjectOf({ principal, conditions }: RoleMapping): string | undefined {
  if ('user' in principal) return principal.user;
  return 'client' in principal && conditions.caller === 'machine' ? principal.client : undefined;
}

/** IAM reads `${…}` as a variable, so that a name with one in it would be whatever the token says (T300). */
function literal(name: string): string {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: how IAM has a dollar sign written
  return name.replaceAll('${', '${$}{');
}

/** Of the provider that is in the account of the role. */
export function providerArn(roleArn: string, issuer: string): string {
  const [, partition, account] = roleArnPattern.exec(roleArn) ?? [];
  return `arn:${partition}:iam::${account}:oidc-provider/${providerName(issuer)}`;
}

/** How IAM names a provider in ARNs and condition keys. */
export function providerName(issuer: string): string {
  return issuer.replace(/^https?:\/\//, '');
}

function uniqueSorted(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort((a, b) => (a < b ? -1 : 1));
}
