/**
 * A freeze: a deny mapping that takes roles away from a client, a user, a group, a pool or everybody at once.
 * Its id follows from what it freezes, so that two people in a hurry freeze one thing once.
 */

import { hash } from 'node:crypto';
import { z } from 'zod';
import { toRfc3339 } from '../../kit/timing/clock.ts';
import { type RoleMappingInput, roleMappingSchema } from './role-mapping.ts';

export const freezeBody = z.strictObject({
  principal: roleMappingSchema.shape.principal,
  role: roleMappingSchema.shape.role,
});

export type Freeze = z.output<typeof freezeBody>;

const idPrefix = 'freeze-';

export function freezeId({ principal, role }: Freeze): string {
  const members = Object.entries(principal).sort(([a], [b]) => (a < b ? -1 : 1));
  return idPrefix + hash('sha256', JSON.stringify([members, role]), 'hex').slice(0, 24);
}

export function isFreezeId(id: string): boolean {
  return /^freeze-[0-9a-f]{24}$/.test(id);
}

export function freezeMapping(freeze: Freeze, reason: string): RoleMappingInput {
  return {
    id: freezeId(freeze),
    description: reason,
    principal: freeze.principal,
    effect: 'deny',
    role: freeze.role,
    owner: 'freeze',
  };
}

/**
 * Sessions that exist already do not ask the broker again: this policy, attached to the role, ends them.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
 */
export function revokeSessionsPolicy(now: number) {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Deny',
        Action: '*',
        Resource: '*',
        Condition: { DateLessThan: { 'aws:TokenIssueTime': toRfc3339(now + propagationMs) } },
      },
    ],
  };
}

/** Changes of IAM take a while to be seen everywhere: sessions begun meanwhile must end, too. */
const propagationMs = 30_000;
