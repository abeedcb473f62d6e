/** A role mapping as people write it: one row of the policy, and the schema that untrusted documents must pass. */

import { z } from 'zod';
import { roleArnPattern } from '../aws-names.ts';
import { asciiName, isNormalized, notNormalized } from '../exact-text.ts';
import { sessionSchema } from '../session/session-settings.ts';
import { conditionsSchema } from './conditions/conditions.ts';

export const mappingIdPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
const id = z.string().regex(mappingIdPattern, `must match ${mappingIdPattern.source}`);

/** How the configuration calls an issuer; what is an issuer, and of which kind, it alone knows. */
export const issuerNamePattern = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/;
export const issuerName = z
  .string()
  .regex(
    issuerNamePattern,
    'must be the name that the configuration gives an issuer: 1 to 128 of A-Z a-z 0-9 _ . : -',
  );

export const groupNamePattern = /^[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}$/u;
const groupName = z
  .string()
  .regex(groupNamePattern, 'must be 1 to 128 characters without spaces')
  .refine(isNormalized, notNormalized);

export const maxArnLength = 2048;
const roleArn = z
  .string()
  .max(maxArnLength)
  .regex(roleArnPattern, 'must be the ARN of one IAM role, without wildcards');

const principal = z.union(
  [
    z.strictObject({ pool: issuerName, client: asciiName }),
    z.strictObject({ pool: issuerName, user: asciiName }),
    z.strictObject({ pool: issuerName, group: groupName }),
    z.strictObject({ pool: z.union([issuerName, z.literal('*')]), any: z.literal(true) }),
  ],
  { error: 'must have a pool and exactly one of client, user, group or any: true' },
);

export const maxDescriptionLength = 512;
export const maxPrecedence = 1000;
export const ownerPattern = /^[\w.@/-]{1,128}$/;

export const roleMappingSchema = z.strictObject({
  id,
  description: z.string().max(maxDescriptionLength).default(''),
  principal,
  effect: z.enum(['allow', 'deny']),
  role: z.union([roleArn, z.literal('*')], { error: 'must be the ARN of one IAM role' }),
  conditions: conditionsSchema.prefault({}),
  session: sessionSchema.prefault({}),
  /** Lower wins among equally specific allows for one role. */
  precedence: z.int().min(0).max(maxPrecedence).default(100),
  owner: z.string().regex(ownerPattern, 'must be 1 to 128 of A-Z a-z 0-9 _ . @ / -'),
  managedBy: z.enum(['git', 'api']).default('api'),
  enabled: z.boolean().default(true),
});

export type RoleMapping = z.output<typeof roleMappingSchema>;
export type RoleMappingInput = z.input<typeof roleMappingSchema>;
export type Principal = RoleMapping['principal'];

export function isMappingId(text: string): boolean {
  return mappingIdPattern.test(text);
}

/** A mapping as the table holds it. */
export interface StoredRoleMapping {
  readonly mapping: RoleMapping;
  /** Counts the edits of this mapping, from 1. */
  readonly version: number;
}
