/**
 * Names of condition keys: who defines it, a colon, and its name. A service, or an identity provider as IAM knows it
 * (`cognito-identity.amazonaws.com:sub`, `oidc.eks.eu-west-1.amazonaws.com/id/ABC:aud`). A name may hold that of a
 * tag, and so every character that tags have: `aws:ResourceTag/Cost Center`.
 */
const keyPattern = /^[A-Za-z0-9][\w./-]*:[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u;

export function isConditionKey(name: string): boolean {
  return keyPattern.test(name);
}

export const conditionKeyFault =
  'is not a condition key: it begins with a service or provider and a colon, as aws:SourceIp does, and holds the characters of tag keys only';
