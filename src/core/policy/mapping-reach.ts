/**
 * Whether a mapping can match anybody at all, given the pools whose tokens are accepted. A deny that matches nobody
 * is believed by whoever wrote it, so it is refused (T96); an allow may be waiting for its app client.
 */

import type { Fault } from '../fault.ts';
import type { RoleMapping } from './role-mapping.ts';

/** A pool as the configuration has it. */
export interface KnownPool {
  readonly kind: 'user_pool' | 'identity_pool';
  /** App clients whose tokens are accepted; identity pools have none. */
  readonly clients: ReadonlySet<string>;
  /** Whether tokens that can have scopes are accepted. */
  readonly accessTokens: boolean;
  /** Whether the tokens of guests are accepted. */
  readonly guests: boolean;
}

export type KnownPools = ReadonlyMap<string, KnownPool>;

export interface Unreachable extends Fault {
  /** `mapping`: there is no configuration with which it would match. */
  readonly mendedBy: 'mapping' | 'configuration';
}

type Reaching = Pick<RoleMapping, 'principal' | 'conditions'>;

/** Why nobody is ever matched; empty if somebody may be. */
export function unreachable(mapping: Reaching, pools: KnownPools): readonly Unreachable[] {
  const { pool: name } = mapping.principal;
  if (name === '*') return [];
  const pool = pools.get(name);
  if (pool === undefined) {
    const detail = 'is none of the pools in the configuration: tokens of it are not accepted';
    return [{ pointer: '/principal/pool', detail, mendedBy: 'configuration' }];
  }
  return [...principalFaults(mapping, pool), ...conditionFaults(mapping, pool)];
}

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const subPattern = { user_pool: new RegExp(`^${uuid}$`), identity_pool: new RegExp(`:${uuid}$`) };
const subMeaning = {
  user_pool:
    'must be the "sub" of a user: in Cognito a UUID in lower case, never a user name or an address',
  identity_pool: 'must be an identity id, such as us-east-1:<UUID in lower case>',
};

function principalFaults({ principal, conditions }: Reaching, pool: KnownPool): Unreachable[] {
  if ('client' in principal) return clientFaults(principal.client, pool);
  if ('user' in principal) return userFaults(principal.user, conditions, pool);
  return 'group' in principal ? groupFaults(principal.group, pool) : [];
}

function clientFaults(client: string, { kind, clients }: KnownPool): Unreachable[] {
  const pointer = '/principal/client';
  if (kind === 'identity_pool') {
    const detail = 'identity pools have no app clients: name a user or a group';
    return [{ pointer, detail, mendedBy: 'mapping' }];
  }
  if (clients.has(client)) return [];
  const detail = 'is none of the app clients that the configuration lists for the pool';
  return [{ pointer, detail, mendedBy: 'configuration' }];
}

function userFaults(
  user: string,
  conditions: Reaching['conditions'],
  { kind }: KnownPool,
): Unreachable[] {
  const faults: Unreachable[] = [];
  if (!subPattern[kind].test(user)) {
    faults.push({ pointer: '/principal/user', detail: subMeaning[kind], mendedBy: 'mapping' });
  }
  if (conditions.caller === 'machine') {
    const detail = 'is a person where the principal is a user';
    faults.push({ pointer: '/conditions/caller', detail, mendedBy: 'mapping' });
  }
  return faults;
}

function groupFaults(group: string, { kind, guests }: KnownPool): Unreachable[] {
  const pointer = '/principal/group';
  if (group.includes('*')) {
    const detail = 'must be the exact name of one group: there are no wildcards';
    return [{ pointer, detail, mendedBy: 'mapping' }];
  }
  if (kind === 'user_pool' || group !== 'unauthenticated' || guests) return [];
  const detail =
    'are guests, whose tokens the configuration does not accept (allowUnauthenticated)';
  return [{ pointer, detail, mendedBy: 'configuration' }];
}

function* conditionFaults(
  { principal, conditions }: Reaching,
  { kind, clients, accessTokens }: KnownPool,
): Generator<Unreachable> {
  const mendedBy = kind === 'identity_pool' ? 'mapping' : 'configuration';
  const tokens = kind === 'identity_pool' ? 'identity pools' : 'the kinds that are accepted';
  if (!accessTokens && !('user' in principal) && conditions.caller === 'machine') {
    const detail = `is always person: tokens of ${tokens} are not those of a machine`;
    yield { pointer: '/conditions/caller', detail, mendedBy };
  }
  if (!accessTokens && (conditions.scopes?.length ?? 0) > 0) {
    const detail = `cannot hold: tokens of ${tokens} have no scopes`;
    yield { pointer: '/conditions/scopes', detail, mendedBy };
  }
  const listed = conditions.claims?.['client_id'];
  if (listed !== undefined && !listed.some((client) => clients.has(String(client)))) {
    const detail = 'lists none of the app clients that the configuration lists for the pool';
    yield { pointer: '/conditions/claims/client_id', detail, mendedBy };
  }
}
