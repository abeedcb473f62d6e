/** What the mappings of a role need its trust policy to let in, as requests that STS would judge. */

import type { RoleMapping } from '../core/policy/role-mapping.ts';
import type { IdentityForm } from '../core/session/session-settings.ts';
import { trustContext } from '../iam-policy/trust-context.ts';
import type { TrustRequest } from '../iam-policy/trust-policy.ts';
import {
  type PoolTokens,
  providerArn,
  providerName,
  subjectOf,
  type TrustSources,
} from '../web-identity/trust-policy.ts';

/** One kind of web identity token that a mapping exchanges for the role. */
export interface ProvenNeed {
  readonly mapping: RoleMapping;
  readonly form: IdentityForm;
  readonly issuer: string;
  readonly providerArn: string;
  readonly audience: string;
  /** Undefined: anybody's of that audience. */
  readonly subject: string | undefined;
  /** Every action that STS asks the trust policy about. */
  readonly actions: readonly string[];
  readonly request: Omit<TrustRequest, 'action'>;
}

export const assumeAction = 'sts:AssumeRoleWithWebIdentity';
export const tagAction = 'sts:TagSession';
export const sourceIdentityAction = 'sts:SetSourceIdentity';

interface Role {
  readonly arn: string;
  readonly accountId: string;
  readonly mappings: readonly RoleMapping[];
}

export function roleNeeds(role: Role, sources: TrustSources): readonly ProvenNeed[] {
  return role.mappings.flatMap((mapping) =>
    (mapping.session.identity ?? sources.byDefault) === 'broker'
      ? brokersNeeds(role, mapping, sources)
      : callersNeeds(role, mapping, sources),
  );
}

/** What STS fills by itself, so that a trust policy may test it and nobody knows it here. */
const requestKeys = [
  ...['aws:CurrentTime', 'aws:EpochTime', 'aws:RequestedRegion', 'aws:SecureTransport'],
  ...['aws:SourceIp', 'aws:SourceVpc', 'aws:SourceVpcArn', 'aws:VpcSourceIp', 'aws:UserAgent'],
];

function brokersNeeds(role: Role, mapping: RoleMapping, { broker, sourceVpce }: TrustSources) {
  if (broker === undefined) return [];
  const { tags, transitiveTags = [], sourceIdentity } = mapping.session;
  const asked = Object.entries(tags ?? {});
  const actions = [
    assumeAction,
    ...(asked.length === 0 ? [] : [tagAction]),
    ...(sourceIdentity === undefined ? [] : [sourceIdentityAction]),
  ];
  const openTags = asked.filter(([, value]) => isTemplate(value)).map(([key]) => key);
  return [
    need(role, {
      mapping,
      form: 'broker',
      issuer: broker.issuer,
      audience: broker.audience,
      subject: undefined,
      actions,
      authorizedByIdp: true,
      tags: asked.length === 0 ? undefined : new Map(asked),
      transitiveTagKeys: transitiveTags,
      sourceIdentity,
      sourceVpce,
      openKeys: [
        ...openTags.map((key) => `aws:RequestTag/${key}`),
        ...(isTemplate(sourceIdentity ?? '') ? ['sts:SourceIdentity'] : []),
      ],
    }),
  ];
}

function callersNeeds(role: Role, mapping: RoleMapping, { pools, sourceVpce }: TrustSources) {
  const { principal, conditions } = mapping;
  const tokens = pools.get(principal.pool) ?? [];
  const subject = subjectOf(mapping);
  return tokens.flatMap(({ issuer, audiences }: PoolTokens) => {
    const given = 'client' in principal ? [principal.client] : audiences;
    return given.map((audience) =>
      need(role, {
        mapping,
        form: 'caller',
        issuer,
        audience,
        subject,
        actions: [assumeAction],
        authorizedByIdp: false,
        tags: undefined,
        transitiveTagKeys: [],
        sourceIdentity: undefined,
        sourceVpce,
        openKeys: conditions.caller === 'machine' ? [] : [`${providerName(issuer)}:email`],
      }),
    );
  });
}

interface NeedParts extends Omit<ProvenNeed, 'request' | 'providerArn'> {
  readonly authorizedByIdp: boolean;
  readonly tags: ReadonlyMap<string, string> | undefined;
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: string | undefined;
  readonly sourceVpce: string | undefined;
  /** Condition keys that will have some value, or none. */
  readonly openKeys: readonly string[];
}

function need(role: Role, parts: NeedParts): ProvenNeed {
  const { issuer, audience, subject, sourceVpce } = parts;
  const name = providerName(issuer);
  const arn = providerArn(role.arn, issuer);
  const context = trustContext({
    ...parts,
    providerArn: arn,
    providerName: name,
    accountId: role.accountId,
    originalAudiences: [audience],
    amr: undefined,
    email: undefined,
    sessionName: undefined,
  });
  const open = [
    ...requestKeys,
    ...parts.openKeys,
    'sts:RoleSessionName',
    `${name}:amr`,
    ...(subject === undefined ? [`${name}:sub`] : []),
    ...(sourceVpce === undefined ? ['aws:SourceVpce'] : []),
  ];
  // Names of issuers and of tags have capitals; keys are compared without.
  const openKeys = new Set(open.map((key) => key.toLowerCase()));
  const { mapping, form, actions } = parts;
  const request = { federatedArn: arn, context, openKeys };
  return { mapping, form, issuer, providerArn: arn, audience, subject, actions, request };
}

function isTemplate(text: string): boolean {
  return text.includes('${');
}
