/** What a token of the broker says: all of it follows from the decided plan and the configuration, nothing from a request. */

import type { Caller } from '../core/caller.ts';
import { BrokerError } from '../core/errors.ts';
import type { Attribution } from '../core/session/attribution.ts';
import type { SessionPlan } from '../core/session/session.ts';

export interface TokenTerms {
  readonly issuer: string;
  readonly audience: string;
  readonly lifetimeSeconds: number;
}

export interface IssuedAs {
  /** `jti` */
  readonly id: string;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html has the second and third. */
const rolesClaim = 'https://aws.amazon.com/roles';
const tagsClaim = 'https://aws.amazon.com/tags';
const sourceIdentityClaim = 'https://aws.amazon.com/source_identity';

export function identityClaims(
  plan: SessionPlan,
  { issuer, audience, lifetimeSeconds }: TokenTerms,
  { id, now }: IssuedAs,
): Readonly<Record<string, unknown>> {
  const issuedAt = Math.floor(now / 1000);
  return {
    iss: issuer,
    aud: audience,
    sub: subjectKey(plan.caller),
    iat: issuedAt,
    exp: issuedAt + lifetimeSeconds,
    jti: id,
    [rolesClaim]: [plan.roleArn],
    ...attributionClaims(plan.attribution),
  };
}

/**
 * Names whom the session is for, in ASCII: pool (as the configuration calls it), kind and subject. No name of a pool has a slash in
 * it, and the subject comes last, so that different callers have different keys.
 *
 * @throws BrokerError `token_claims_invalid` for a subject that cannot be written like that
 */
export function subjectKey({ pool, tokenUse, machine, subject }: Caller): string {
  const kind = tokenUse === 'openid' ? 'identity' : machine ? 'client' : 'user';
  const key = `${pool}/${kind}/${subject}`;
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw new BrokerError('token_claims_invalid', {
    detail: 'The token must have a "sub" of printable ASCII characters, 128 at most.',
  });
}

function attributionClaims(attribution: Attribution | undefined) {
  if (attribution === undefined) return {};
  const { tags, transitiveTagKeys, sourceIdentity } = attribution;
  return {
    ...(tags.length === 0 ? {} : { [tagsClaim]: tagsOf(tags, transitiveTagKeys) }),
    ...(sourceIdentity === undefined ? {} : { [sourceIdentityClaim]: sourceIdentity.value }),
  };
}

/** In this form STS takes a value in a list of one only. */
function tagsOf(tags: Attribution['tags'], transitiveTagKeys: readonly string[]) {
  return {
    principal_tags: Object.fromEntries(tags.map(({ key, value }) => [key, [value]])),
    ...(transitiveTagKeys.length === 0 ? {} : { transitive_tag_keys: transitiveTagKeys }),
  };
}
