/** The allow-list of issuers as a whole: whose a token is, and what no two entries may have in common. */

import type { Caller } from '../core/caller.ts';
import { BrokerError } from '../core/errors.ts';
import type { KnownPool, KnownPools } from '../core/policy/mapping-reach.ts';
import type { JsonObject } from '../kit/json/json-object.ts';
import type { TrustedIssuer } from './providers/provider.ts';
import { clientRefused } from './token-claims.ts';

export type TrustedIssuers = ReadonlyMap<string, readonly [TrustedIssuer, ...TrustedIssuer[]]>;

/**
 * By `iss`.
 *
 * @throws TypeError when two entries contradict each other.
 */
export function trustedIssuers(entries: readonly TrustedIssuer[]): TrustedIssuers {
  const issuers = new Map<string, [TrustedIssuer, ...TrustedIssuer[]]>();
  for (const [index, entry] of entries.entries()) {
    const fault = contradiction(entry, entries.slice(0, index));
    if (fault !== undefined) throw new TypeError(`issuer ${entry.issuer} ${fault}`);
    const others = issuers.get(entry.issuer);
    if (others === undefined) issuers.set(entry.issuer, [entry]);
    else others.push(entry);
  }
  return issuers;
}

/** Why `entry` cannot be trusted besides those; undefined if it can. */
export function contradiction(
  entry: TrustedIssuer,
  others: readonly TrustedIssuer[],
): string | undefined {
  for (const other of others) {
    const same = other.reach.kind === entry.reach.kind && other.id === entry.id;
    // A mapping of one would be a mapping of the other, and a deny of one pool by one of its names would not
    // hold for its tokens under another (T128).
    if (other.name === entry.name && !same) return 'has the name of another one';
    if (other.name !== entry.name && same) return 'has another name elsewhere';
    const fault = other.issuer === entry.issuer ? sharingFault(entry, other) : undefined;
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function sharingFault(entry: TrustedIssuer, other: TrustedIssuer): string | undefined {
  if (entry.shared === undefined || entry.shared.label !== other.shared?.label) {
    return 'is that of another one: tokens of the two could not be told apart';
  }
  if (entry.shared.audience === other.shared.audience) return 'is listed twice with one pool';
  if (entry.jwksUri !== other.jwksUri) return 'must have one and the same jwksUri everywhere';
  return undefined;
}

/**
 * Whose token it is, by claims that nothing has proven yet.
 *
 * @throws BrokerError `token_issuer_unknown`.
 */
export function issuerOf({ iss, aud }: JsonObject, issuers: TrustedIssuers): TrustedIssuer {
  const entries = (typeof iss === 'string' ? issuers.get(iss) : undefined) ?? [];
  const found = entries.find(({ shared }) => shared === undefined || shared.audience === aud);
  if (found !== undefined) return found;
  throw new BrokerError('token_issuer_unknown', {
    detail:
      entries.length === 0
        ? 'Get a token from a listed user pool, or have the "iss" of this one listed exactly.'
        : 'Have the identity pool of the token listed in the configuration.',
  });
}

/**
 * Whether a caller whom a token has proven may be one still, now that these are trusted.
 *
 * @throws BrokerError `token_issuer_unknown` or `token_client_refused`.
 */
export function requireTrusted({ issuer, pool, clientId }: Caller, issuers: TrustedIssuers): void {
  const entry = issuers.get(issuer)?.find(({ name }) => name === pool);
  if (entry === undefined) throw new BrokerError('token_issuer_unknown');
  const { clients } = entry.reach;
  if (clients === undefined || (clientId !== undefined && clients.has(clientId))) return;
  throw clientRefused();
}

/** How metrics call it: `iss` is long, and may stand for several. */
export function labelOf([entry]: readonly [TrustedIssuer, ...TrustedIssuer[]]): string {
  return entry.shared?.label ?? entry.name;
}

/** By the name that mappings use. A pool that is listed with both of its issuers takes the clients of either. */
export function knownPools(entries: readonly TrustedIssuer[]): KnownPools {
  const pools = new Map<string, KnownPool>();
  for (const { name, reach } of entries) {
    const known = pools.get(name);
    pools.set(name, known === undefined ? reach : together(known, reach));
  }
  return pools;
}

function together(one: KnownPool, other: KnownPool): KnownPool {
  return {
    ...other,
    clients: one.clients && other.clients && new Set([...one.clients, ...other.clients]),
    accessTokens: one.accessTokens === 'accepted' ? 'accepted' : other.accessTokens,
  };
}
