/** The sample token as a request that STS would judge. */

import { trustContext } from '../iam-policy/trust-context.ts';
import { isJsonObject, isStringList, type JsonObject, valueAt } from '../kit/json/json-object.ts';
import { providerArn, providerName } from '../web-identity/trust-policy.ts';
import type { ExaminedRole } from './examination.ts';
import { assumeAction, type ProvenNeed, sourceIdentityAction, tagAction } from './role-needs.ts';
import { comparedAudience, type SampleToken } from './sample-token.ts';

const tagsClaim = 'https://aws.amazon.com/tags';
const sourceIdentityClaim = 'https://aws.amazon.com/source_identity';

/** Undefined where it is not what a mapping of the role exchanges. */
export function sampleNeed(role: ExaminedRole, { claims }: SampleToken): ProvenNeed | undefined {
  const audience = comparedAudience(claims);
  const like = role.needs.find(
    (need) => need.form === 'caller' && need.issuer === claims['iss'] && need.audience === audience,
  );
  if (like === undefined || audience === undefined) return undefined;
  const tags = tagsIn(claims);
  const sourceIdentity = claims[sourceIdentityClaim];
  const own = trustContext({
    providerArn: providerArn(role.arn, like.issuer),
    providerName: providerName(like.issuer),
    accountId: role.accountId,
    audience,
    originalAudiences: [claims['aud']].flat().filter((one) => typeof one === 'string'),
    subject: claims['sub'],
    amr: claims['amr'],
    email: claims['email'],
    sessionName: undefined,
    tags,
    transitiveTagKeys: transitiveIn(claims),
    sourceIdentity: typeof sourceIdentity === 'string' ? sourceIdentity : undefined,
    authorizedByIdp: false,
    sourceVpce: like.request.context.get('aws:sourcevpce')?.[0],
  });
  const ownClaim = /:(?:sub|amr|email)$/;
  const openKeys = [...(like.request.openKeys ?? [])].filter((key) => !ownClaim.test(key));
  return {
    ...like,
    actions: [
      assumeAction,
      ...(tags === undefined ? [] : [tagAction]),
      ...(sourceIdentity === undefined ? [] : [sourceIdentityAction]),
    ],
    request: { ...like.request, context: own, openKeys: new Set(openKeys) },
  };
}

/** In both of their forms (IAM User Guide, id_session-tags); undefined without any. */
function tagsIn(claims: JsonObject): ReadonlyMap<string, string> | undefined {
  const prefix = `${tagsClaim}/principal_tags/`;
  const inside = valueAt(claims, tagsClaim, 'principal_tags');
  const entries = [
    ...Object.entries(isJsonObject(inside) ? inside : {}),
    ...Object.entries(claims)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), value] as const),
  ];
  if (claims[tagsClaim] === undefined && entries.length === 0) return undefined;
  return new Map(entries.map(([key, value]) => [key, String([value].flat()[0])]));
}

/** STS reads the nested list where there are both. */
function transitiveIn(claims: JsonObject): readonly string[] {
  const inside = valueAt(claims, tagsClaim, 'transitive_tag_keys');
  const keys = inside ?? claims[`${tagsClaim}/transitive_tag_keys`];
  return isStringList(keys) ? keys : [];
}
