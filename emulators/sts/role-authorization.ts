/** The claim by which an issuer binds a token to roles (https://awsteele.com/blog/2026/07/13/oidc-tokens-can-restrict-which-aws-roles-they-assume.html). */

import { StsError } from './sts-error.ts';

const rolesClaim = 'https://aws.amazon.com/roles';

/**
 * Whether the token authorizes this role by name; false where it binds itself to none. As recorded on real AWS: an ARN,
 * a list, or a text parted by semicolons, compared exactly; null counts as absent, and members that are no ARNs as nothing.
 *
 * Throws `InvalidIdentityToken`, before any trust policy is asked, where it binds itself to others.
 */
export function roleAuthorizedByIdp(
  claims: Readonly<Record<string, unknown>>,
  roleArn: string,
): boolean {
  const claim = claims[rolesClaim];
  if (claim === undefined || claim === null) return false;
  const roles = typeof claim === 'string' ? claim.split(';') : claim;
  if (Array.isArray(roles) && roles.includes(roleArn)) return true;
  throw new StsError(
    'InvalidIdentityToken',
    'The target role ARN is not present in the roles claim of the identity token',
  );
}
