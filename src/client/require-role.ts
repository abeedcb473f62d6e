import { BrokerError } from '../core/errors.ts';
import { type Clock, systemClock } from '../kit/timing/clock.ts';
import { sendRefusal } from './refusal.ts';
import { type Middleware, provenCallerOf } from './require-caller.ts';
import { type ServiceRoleRules, serviceRolesFromRules } from './service-role-rules.ts';
import { ServiceRoles } from './service-roles.ts';

export interface RequireRoleOptions {
  /** Rules in code, or those of a file (`serviceRolesFromFile`). */
  readonly roles: ServiceRoleRules | ServiceRoles;
}

/**
 * Lets callers with this service role pass and answers the others with 403. Comes behind `requireCaller`; without
 * one, or with rules on claims that its validator does not read, the request fails.
 *
 * @throws TypeError for a role that no rule gives, and for rules that are malformed.
 */
export function requireRole(
  name: string,
  options: RequireRoleOptions,
  clock: Clock = systemClock,
): Middleware {
  const roles =
    options.roles instanceof ServiceRoles ? options.roles : serviceRolesFromRules(options.roles);
  if (!roles.names.has(name)) throw new TypeError(`no rule gives the service role ${name}`);
  return (req, res, next) => {
    let permitted: boolean;
    try {
      const { caller, matchableClaims } = provenCallerOf(req);
      requireReadable(roles, matchableClaims);
      permitted = roles.has(caller, name, clock.now());
    } catch (error) {
      next(error);
      return;
    }
    if (permitted) next();
    else sendRefusal(res, denied());
  };
}

function denied(): BrokerError {
  const detail = 'The token does not carry the service role that this needs.';
  return new BrokerError('access_denied', { detail });
}

/** A rule on a claim that is never there grants nothing, but as a deny it would be void. */
function requireReadable(roles: ServiceRoles, matchableClaims: ReadonlySet<string>): void {
  for (const claim of roles.claims) {
    if (claim === 'sub' || claim === 'client_id' || matchableClaims.has(claim)) continue;
    throw new TypeError(`service roles match the claim ${claim}: list it in matchableClaims`);
  }
}
