/**
 * Whether a mapping can match anybody at all, given the pools whose tokens are accepted. A deny that matches nobody
 * is believed by whoever wrote it, so it is refused (T96); an allow may be waiting for its app client.
 */

import type { Fault } from '../fault.ts';
import type { RoleMapping } from './role-mapping.ts';

/** What the tokens of a pool can say: read off the configuration by its kind. */
export interface KnownPool {
  /** Their `iss`. */
  readonly issuer: string;
  /** In the plural, such as "user pools". */
  readonly kind: string;
  /** App clients whose tokens are accepted; undefined for a kind that has none. */
  readonly clients: ReadonlySet<string> | undefined;
  /** Tokens that can have scopes and stand for a machine; `never`: the kind has none. */
  readonly accessTokens: 'accepted' | 'refused' | 'never';
  /** What their `sub` looks like. */
  readonly subject: { readonly pattern: RegExp; readonly meaning: string };
  /** Groups that nobody is in, and why. */
  readonly emptyGroups: ReadonlyMap<string, string>;
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

function principalFaults({ principal, conditions }: Reaching, pool: KnownPool): Unreachable[] {
  if ('client' in principal) return clientFaults(principal.client, pool);
  if ('user' in principal) return userFaults(principal.user, conditions, pool);
  return 'group' in principal ? groupFaults(principal.group, pool) : [];
}

function clientFaults(client: string, { kind, clients }: KnownPool): Unreachable[] {
  const pointer = '/principal/client';
  if (clients === undefined) {
    const detail = `${kind} have no app clients: name a user or a group`;
    return [{ pointer, detail, mendedBy: 'mapping' }];
  }
  if (clients.has(client)) return [];
  const detail = 'is none of the app clients that the configuration lists for the pool';
  return [{ pointer, detail, mendedBy: 'configuration' }];
}

function userFaults(
  user: string,
  conditions: Reaching['conditions'],
  { subject }: KnownPool,
): Unreachable[] {
  const faults: Unreachable[] = [];
  if (!subject.pattern.test(user)) {
    faults.push({ pointer: '/principal/user', detail: subject.meaning, mendedBy: 'mapping' });
  }
  if (conditions.caller === 'machine') {
    const detail = 'is a person where the principal is a user';
    faults.push({ pointer: '/conditions/caller', detail, mendedBy: 'mapping' });
  }
  return faults;
}

function groupFaults(group: string, { emptyGroups }: KnownPool): Unreachable[] {
  const pointer = '/principal/group';
  if (group.includes('*')) {
    const detail = 'must be the exact name of one group: there are no wildcards';
    return [{ pointer, detail, mendedBy: 'mapping' }];
  }
  const detail = emptyGroups.get(group);
  if (detail === undefined) return [];
  return [{ pointer, detail, mendedBy: 'configuration' }];
}

function* conditionFaults(
  { principal, conditions }: Reaching,
  { kind, clients, accessTokens }: KnownPool,
): Generator<Unreachable> {
  const mendedBy = accessTokens === 'never' ? 'mapping' : 'configuration';
  const tokens = accessTokens === 'never' ? kind : 'the kinds that are accepted';
  const none = accessTokens !== 'accepted';
  if (none && !('user' in principal) && conditions.caller === 'machine') {
    const detail = `is always person: tokens of ${tokens} are not those of a machine`;
    yield { pointer: '/conditions/caller', detail, mendedBy };
  }
  if (none && (conditions.scopes?.length ?? 0) > 0) {
    const detail = `cannot hold: tokens of ${tokens} have no scopes`;
    yield { pointer: '/conditions/scopes', detail, mendedBy };
  }
  const listed = conditions.claims?.['client_id'];
  if (listed !== undefined && !listed.some((client) => clients?.has(String(client)))) {
    const detail = 'lists none of the app clients that the configuration lists for the pool';
    yield { pointer: '/conditions/claims/client_id', detail, mendedBy };
  }
}
