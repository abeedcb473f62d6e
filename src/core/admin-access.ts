/** Who may use the admin listener. Configuration says so, never the table that administrators edit (T53). */

import type { Caller } from './caller.ts';
import { BrokerError } from './errors.ts';

export interface AdminAccess {
  readonly pool: string;
  /** App clients that administrators use, and nobody else. */
  readonly clients: ReadonlySet<string>;
  readonly readScope: string;
  readonly writeScope: string;
  readonly freezeScope: string;
}

/**
 * `freeze` takes access away at once and can do nothing else: what whoever is on call may hold at all times.
 * Giving it back is `write`.
 */
export type AdminPermission = 'read' | 'write' | 'freeze';

/** @throws BrokerError `access_denied` or `scope_insufficient`. */
export function requireAdmin(
  access: AdminAccess,
  caller: Caller,
  permission: AdminPermission,
): void {
  const known =
    caller.pool === access.pool &&
    caller.clientId !== undefined &&
    access.clients.has(caller.clientId) &&
    caller.tokenUse === 'access';
  if (!known) {
    throw new BrokerError('access_denied', {
      detail:
        'This listener is for administrators. Use an access token of an app client that the "admin" section of the configuration lists.',
    });
  }
  const scope = access[`${permission}Scope`];
  if (caller.scopes.has(scope)) return;
  throw new BrokerError('scope_insufficient', {
    detail: `Ask the token endpoint for a token with the scope ${scope}.`,
    scope,
  });
}
