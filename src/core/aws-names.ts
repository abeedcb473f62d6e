/** Names and numbers as IAM and STS take them (API references): each stands here once. */

/**
 * IAM role ARN without any wildcard; partition, twelve-digit account, optional path, name of up to 64. The path
 * is one run of characters that include "/": segments in a loop would cost exponential time.
 */
export const roleArnPattern =
  /^arn:(aws(?:-[a-z]+)*):iam::(\d{12}):role\/((?:[\x21-\x29\x2b-\x3e\x40-\x7e]+\/)?)([\w+=,.@-]{1,64})$/;

/** Undefined for what is no ARN of a role, such as `*`. */
export function partitionOf(role: string): string | undefined {
  return roleArnPattern.exec(role)?.[1];
}

/** Of an ARN that is known to be one; it has no colons before it but those of its form. */
export function accountOf(arn: string): string {
  return arn.split(':', 5)[4] ?? '';
}

/** ARN of a managed policy without any wildcard; partition, account or `aws`. */
export const policyArnPattern =
  /^arn:(aws(?:-[a-z]+)*):iam::(aws|\d{12}):policy\/[\x21-\x29\x2b-\x3e\x40-\x7e]+$/;

/** Such as `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`. */
export const regionPattern = /^[a-z]{2,4}(?:-[a-z]+)+-\d$/;

/** AssumeRoleWithWebIdentity, parameter DurationSeconds. */
export const minDurationSeconds = 900;
export const maxDurationSeconds = 43_200;

/** AssumeRoleWithWebIdentity, parameter RoleSessionName; `\w` is ASCII. */
export const sessionNamePattern = /^[\w+=,.@-]{2,64}$/;

/**
 * Source identity of a session. AWS documents 64 characters in its guides and 256 in the newest model of its API: the smaller
 * works with both, and is what names of sessions have.
 */
export const sourceIdentityPattern = sessionNamePattern;

/** Credentials: AccessKeyId as the reference has it; the others are opaque there, but are printable without blanks. */
export const sessionKeyPatterns = {
  accessKeyId: /^[A-Za-z0-9_]{16,128}$/,
  secretAccessKey: /^[\x21-\x7e]{16,256}$/,
  sessionToken: /^[\x21-\x7e]{16,}$/,
} as const;
