/** Who is an administrator, as configuration says it: the same for the listener and for commands. */

import type { AdminAccess } from '../core/admin-access.ts';
import type { Config } from './schema.ts';

export function adminAccess(admin: NonNullable<Config['admin']>): AdminAccess {
  const { clients, groups, users, maxSignInAgeSeconds } = admin;
  return {
    ...admin,
    clients: new Set(clients),
    groups: new Set(groups),
    users: new Set(users),
    maxSignInAgeSeconds,
  };
}

/** An administrator is a person or a machine; an app client alone is neither. */
export function namesPeople({ groups, users }: NonNullable<Config['admin']>): boolean {
  return groups.length + users.length > 0;
}
