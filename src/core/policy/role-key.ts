import { roleArnPattern } from '../aws-names.ts';

/**
 * Equal for two ARNs that IAM takes for one role: names are not distinguished by case, and an account has one role
 * of a name, whatever its path. What is no ARN of a role is a name of its own.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html (RoleName)
 */
export function roleKey(role: string): string {
  const [, partition, account, , name] = roleArnPattern.exec(role) ?? [];
  return name === undefined ? role : `${partition}:${account}:${iamName(name)}`;
}

/** As IAM tells names of roles apart. */
export function iamName(name: string): string {
  return name.toLowerCase();
}
