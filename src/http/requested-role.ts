import { z } from 'zod';
import { roleArnPattern } from '../core/aws-names.ts';
import { roleMappingSchema } from '../core/policy/role-mapping.ts';

/**
 * How a caller names the role that it wants. Nothing else passes, because it is written to the audit log: a
 * token or a key that was put here by mistake must not be (T33).
 */
export const requestedRole = z.union(
  [roleMappingSchema.shape.id, z.string().max(2048).regex(roleArnPattern)],
  { error: 'must be the id of a role mapping or the ARN of a role' },
);
