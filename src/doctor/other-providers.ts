/** Identity providers that a role trusts and that no mapping of it uses. */

import { namesAction, type TrustPolicy, trustVerdict } from '../iam-policy/trust-policy.ts';
import { providerArn } from '../web-identity/trust-policy.ts';
import type { Examination, ExaminedRole } from './examination.ts';
import { testedKeys } from './open-keys.ts';
import { assumeAction } from './role-needs.ts';
import { nobody } from './said-values.ts';

export interface OtherProvider {
  /** As the trust policy names it. */
  readonly provider: string;
  /** Whom it lets in; undefined where conditions say whom, and that is not for the broker to judge. */
  readonly who: string | undefined;
}

export function otherProviders(
  role: ExaminedRole,
  policy: TrustPolicy,
  { sources }: Examination,
): readonly OtherProvider[] {
  const used = new Set(role.needs.map((need) => need.providerArn));
  const named = policy
    .filter((one) => one.effect === 'Allow' && enters.some((action) => namesAction(one, action)))
    .flatMap(({ federated }) => federated)
    .filter((provider) => !used.has(provider) && provider !== '*');
  const issuers = [
    ...[...sources.pools.values()].flat().map(({ issuer }) => issuer),
    ...(sources.broker === undefined ? [] : [sources.broker.issuer]),
  ];
  return [...new Set(named)].map((provider) => {
    const issuer = issuers.find((one) => providerArn(role.arn, one) === provider);
    return {
      provider,
      who: issuer === undefined ? publicly(provider, policy) : configured(provider, issuer, policy),
    };
  });
}

const enters = [assumeAction, 'sts:AssumeRoleWithSAML'];

/** What the broker's own callers hold: whatever the conditions, it is a way past the mappings. */
function configured(provider: string, issuer: string, policy: TrustPolicy): string | undefined {
  const openKeys = new Set(testedKeys(policy));
  const asked = { action: assumeAction, federatedArn: provider, context: new Map(), openKeys };
  return trustVerdict(policy, asked) === 'denied'
    ? undefined
    : `tokens of ${issuer}, which no mapping of this role exchanges: whoever holds one gets in without the broker`;
}

/** Of an issuer that may be anybody's: with no audience that was agreed upon, and for no certain subject. */
function publicly(provider: string, policy: TrustPolicy): string | undefined {
  const name = provider.replace(/^.*:oidc-provider\//, '').toLowerCase();
  const told = ['aud', 'oaud', 'sub'].map((claim) => `${name}:${claim}`);
  const openKeys = new Set(testedKeys(policy).filter((key) => !told.includes(key)));
  const open = [nobody, 'sts.amazonaws.com'].some((audience) => {
    const context = new Map(told.map((key) => [key, [key.endsWith(':sub') ? nobody : audience]]));
    const asked = { action: assumeAction, federatedArn: provider, context, openKeys };
    return trustVerdict(policy, asked) === 'allowed';
  });
  return open ? `anybody with a token of ${name}` : undefined;
}
