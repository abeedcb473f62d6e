/**
 * Resources of a statement: `*`, or an ARN with all its six parts. IAM wants the service in full, and the partition
 * of the account that the policy is used in, or `*`, as policies that AWS publishes have it.
 */

import { fillVariables } from './policy-variable.ts';

/** Variables have colons of their own: `#` stands for each, which no partition and no service has. */
const arnPattern = /^arn:([a-z-]+|\*):([a-z0-9-]+):[^:]*:[^:]*:/;

export function resourceFault(value: string, partition: string | undefined): string | undefined {
  if (value === '*') return undefined;
  const { filled, fault } = fillVariables(value);
  if (fault !== undefined) return fault;
  const parts = arnPattern.exec(filled);
  if (parts === null) {
    return 'must be "*" or an ARN with all its parts: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE';
  }
  const [, own] = parts;
  if (own === '*' || partition === undefined || own === partition) return undefined;
  return `must be in the partition of the role, ${partition}, as STS requires`;
}
