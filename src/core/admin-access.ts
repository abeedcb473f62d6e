/**
 * Who may use the admin listener: people and machines, never an app client alone, for whoever can sign in by a
 * client holds its scopes. Configuration says so, never the table that administrators edit (T53, T56).
 */

import type { Caller } from './caller.ts';
import { BrokerError } from './errors.ts';

export interface AdminAccess {
  readonly pool: string;
  /** App clients that administrators use: necessary, and never enough. */
  readonly clients: ReadonlySet<string>;
  /** People: everybody in one of these groups of the pool, … */
  readonly groups: ReadonlySet<string>;
  /** … and these, by their `sub`. */
  readonly users: ReadonlySet<string>;
  /** Whether the app clients themselves are meant: tokens of the client-credentials grant. */
  readonly machines: boolean;
  /** Since `iat`. */
  readonly maxTokenAgeSeconds: number;
  /** Of people, since `auth_time`, which a refreshed token keeps; undefined: any. */
  readonly maxSignInAgeSeconds: number | undefined;
  /** Of people: all of these must be in `amr`. */
  readonly requiredAmr: readonly string[];
  readonly readScope: string;
  readonly writeScope: string;
  readonly freezeScope: string;
}

/**
 * `freeze` takes access away at once and can do nothing else: what whoever is on call may hold at all times.
 * Giving it back is `write`.
 */
export type AdminPermission = 'read' | 'write' | 'freeze';

/**
 * The one check of every route and command of administrators. Strangers learn nothing from it: what a token
 * lacks is told to administrators only.
 *
 * @throws BrokerError `access_denied`, `token_expired`, `sign_in_insufficient` or `scope_insufficient`.
 */
export function requireAdmin(
  access: AdminAccess,
  caller: Caller,
  permission: AdminPermission,
  now: number,
): void {
  if (!isAdministrator(access, caller)) {
    throw new BrokerError('access_denied', {
      detail:
        'This listener is for administrators. Use an access token of an app client, and of somebody, that the "admin" section of the configuration names; whoever runs this service knows both.',
    });
  }
  if (now - caller.issuedAt > access.maxTokenAgeSeconds * 1000) {
    throw new BrokerError('token_expired', {
      detail: `An administrator's token may be ${access.maxTokenAgeSeconds} seconds old. Get a new one.`,
    });
  }
  if (!caller.machine) requireSignIn(access, caller, now);
  const scope = access[`${permission}Scope`];
  if (caller.scopes.has(scope)) return;
  throw new BrokerError('scope_insufficient', {
    detail: `Ask the token endpoint for a token with the scope ${scope}.`,
    scope,
  });
}

/** What made somebody an administrator, kept for the day on which it may do so no more. */
export interface AdminStanding {
  readonly pool: string;
  readonly client: string;
  /** Of their groups those whose members were administrators. */
  readonly groups: readonly string[];
}

/** Of somebody who has passed `requireAdmin`. */
export function standingOf(access: AdminAccess, caller: Caller): AdminStanding {
  const { pool, clientId = '', groups } = caller;
  return { pool, client: clientId, groups: groups.filter((group) => access.groups.has(group)) };
}

export interface FormerEditor {
  readonly subject: string;
  readonly machine: boolean;
  /** Undefined: an earlier program did not keep it. */
  readonly standing?: AdminStanding | undefined;
}

/**
 * By the configuration alone, without a token of theirs. Undefined: a group makes them one, and whether they are in it
 * still, only a token would say.
 */
export function isAdministratorStill(
  access: AdminAccess,
  { subject, machine, standing }: FormerEditor,
): boolean | undefined {
  if (standing === undefined) return undefined;
  if (standing.pool !== access.pool) return false;
  if (machine) return access.machines && access.clients.has(standing.client);
  // By whatever client: the same person may come by another one.
  if (access.users.has(subject)) return true;
  return standing.groups.some((group) => access.groups.has(group)) ? undefined : false;
}

function isAdministrator(access: AdminAccess, caller: Caller): boolean {
  const { pool, clientId, tokenUse, machine, subject, groups } = caller;
  if (pool !== access.pool || tokenUse !== 'access') return false;
  if (clientId === undefined || !access.clients.has(clientId)) return false;
  // Cognito puts groups into no token of a machine: one that claims to be both is neither.
  if (machine) return access.machines && groups.length === 0;
  return access.users.has(subject) || groups.some((group) => access.groups.has(group));
}

function requireSignIn(
  { maxSignInAgeSeconds, requiredAmr }: AdminAccess,
  { signedInAt, amr }: Caller,
  now: number,
): void {
  const refuse = (detail: string) => {
    throw new BrokerError('sign_in_insufficient', { detail, maxAgeSeconds: maxSignInAgeSeconds });
  };
  const missing = requiredAmr.filter((method) => !amr.includes(method));
  if (missing.length > 0) {
    refuse(`Sign in again with ${missing.join(', ')}: the claim "amr" of the token must say so.`);
  }
  if (maxSignInAgeSeconds === undefined) return;
  if (signedInAt === undefined) {
    refuse(
      'Sign in, rather than by other means: the token does not say when that was ("auth_time").',
    );
  } else if (now - signedInAt > maxSignInAgeSeconds * 1000) {
    refuse(
      `Sign in again: that may be ${maxSignInAgeSeconds} seconds ago at most. A refreshed token does not count as one.`,
    );
  }
}
