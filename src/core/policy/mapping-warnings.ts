/** What is legal in a role mapping, but perhaps not what its author wants. */

import type { Fault } from '../fault.ts';
import { remember } from '../remember.ts';
import { hasAttribution } from '../session/attribution.ts';
import { doubtfulClaims } from '../session/doubtful-claims.ts';
import { packedSizeEstimate } from '../session/packed-size.ts';
import type { CompiledMapping } from './compiled-mapping.ts';
import { unseenByDeny } from './conditions/conditions.ts';
import { type KnownPools, unreachable } from './mapping-reach.ts';
import { type PolicySnapshot, principalKey } from './policy-snapshot.ts';
import { providerClients } from './provider-clients.ts';
import { roleKey } from './role-key.ts';
import type { RoleMapping } from './role-mapping.ts';
import { firstSharersOf, sharesItsName } from './shared-session-name.ts';

/** AWS SDKs begin to renew credentials 15 minutes before they expire. */
const comfortableSeconds = 1800;

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (client IDs of an OIDC provider) */
const maxProviderClients = 100;

/** Of the estimate: what it leaves out must fit, too. */
const fullPercent = 80;

/** Of the mappings that a warning names. */
const maxShown = 5;

/** What a mapping is judged against, as far as it is known. */
export interface KnownAround {
  readonly snapshot: PolicySnapshot | undefined;
  readonly pools: KnownPools | undefined;
  readonly now: number;
}

export function mappingWarnings(
  mapping: RoleMapping,
  { snapshot, pools, now }: KnownAround,
): readonly Fault[] {
  return [
    ...warnOfNoEffect(mapping, now),
    ...(pools === undefined ? [] : warnOfNobody(mapping, pools)),
    ...(mapping.effect === 'allow'
      ? [
          ...warnOfShortSession(mapping),
          ...warnOfPeople(mapping),
          ...warnOfSharedName(mapping, snapshot),
          ...warnOfPackedSize(mapping),
          ...warnOfDoubtfulClaims(mapping),
        ]
      : [...warnOfWideDeny(mapping), ...unseenByDeny(mapping)]),
    ...(snapshot === undefined ? [] : warnOfOverlap(mapping, snapshot)),
    ...(snapshot === undefined ? [] : warnOfFullProvider(mapping, snapshot)),
  ];
}

function warnOfNoEffect({ enabled, conditions }: RoleMapping, now: number): Fault[] {
  if (!enabled)
    return [{ pointer: '/enabled', detail: 'the mapping is disabled: it does nothing' }];
  if (conditions.expiresAt === undefined || Date.parse(conditions.expiresAt) > now) return [];
  return [{ pointer: '/conditions/expiresAt', detail: 'has passed: the mapping does nothing' }];
}

/** Those that come through here as warnings: an allow whose app client, say, is configured later. */
function warnOfNobody(mapping: RoleMapping, pools: KnownPools): Fault[] {
  return unreachable(mapping, pools).map(({ pointer, detail }) => ({
    pointer,
    detail: `${detail}; the mapping matches nobody`,
  }));
}

function warnOfShortSession({ session }: RoleMapping): Fault[] {
  if (session.durationSeconds >= comfortableSeconds) return [];
  return [
    {
      pointer: '/session/durationSeconds',
      detail: `is below ${comfortableSeconds}: SDKs renew credentials 15 minutes before they expire, so most of each session goes unused`,
    },
  ];
}

/** Whoever signs in through an app client has tokens with its id. */
function warnOfPeople({ principal, conditions }: RoleMapping): Fault[] {
  if (!('client' in principal) || conditions.caller !== undefined) return [];
  const detail =
    'grants the role to everybody who signs in through the app client, too: say with conditions.caller whether machine or person is meant';
  return [{ pointer: '/principal/client', detail }];
}

/** Two people under one RoleSessionName cannot be told apart by the account that they come to (T97). */
function warnOfSharedName(mapping: RoleMapping, snapshot: PolicySnapshot | undefined): Fault[] {
  const pointer = '/session/name';
  if (sharesItsName(mapping)) {
    const detail =
      'gives everybody whom the mapping applies to one session name, so that CloudTrail cannot tell them apart: put {sub} into it';
    return [{ pointer, detail }];
  }
  const others = snapshot === undefined ? [] : firstSharersOf(mapping, snapshot, maxShown);
  if (others.length === 0) return [];
  const shown = others.join(', ');
  const detail = `is also that of others with this role (${shown}), so that CloudTrail cannot tell them apart: put {sub} or {mapping} into it`;
  return [{ pointer, detail }];
}

/** Beyond it AWS refuses the session, and only then does anybody know how large it was. */
function warnOfPackedSize({ session }: RoleMapping): Fault[] {
  if (!hasAttribution(session)) return [];
  const percent = packedSizeEstimate(session);
  if (percent < fullPercent) return [];
  const detail = `may make STS refuse the session as too large: with the longest claims it is estimated at ${percent} % of the room, policies included`;
  return [{ pointer: '/session/tags', detail }];
}

function warnOfDoubtfulClaims({ session }: RoleMapping): Fault[] {
  if (session.policy === undefined) return [];
  return doubtfulClaims(session.policy).map(({ pointer, detail }) => ({
    pointer: `/session/policy${pointer}`,
    detail,
  }));
}

function warnOfWideDeny({ principal, role }: RoleMapping): Fault[] {
  if (!('any' in principal) || role !== '*') return [];
  const whom = principal.pool === '*' ? 'everybody' : 'everybody of the pool';
  return [{ pointer: '/principal', detail: `denies ${whom} every role` }];
}

function warnOfOverlap(mapping: RoleMapping, { byPrincipal }: PolicySnapshot): Fault[] {
  const ofPrincipal = byPrincipal.get(principalKey(mapping.principal));
  const alike = ofPrincipal && byEffectAndRole(ofPrincipal).get(overlapKey(mapping));
  const rivals = alike?.filter((id) => id !== mapping.id) ?? [];
  if (rivals.length === 0) return [];
  const shown = rivals.slice(0, maxShown).join(', ');
  return [
    {
      pointer: '/role',
      detail: `${rivals.length} more for the same principal and role (${shown}): the lowest precedence, then the first id wins where all conditions hold`,
    },
  ];
}

/** Ids of one principal's mappings; sorted. */
const byEffectAndRole = remember((ofPrincipal: readonly CompiledMapping[]) => {
  const index = new Map<string, string[]>();
  for (const { mapping } of ofPrincipal) {
    const key = overlapKey(mapping);
    const known = index.get(key);
    if (known === undefined) index.set(key, [mapping.id]);
    else known.push(mapping.id);
  }
  for (const ids of index.values()) ids.sort((a, b) => (a < b ? -1 : 1));
  return index;
});

function overlapKey({ effect, role }: RoleMapping): string {
  return `${effect}\n${roleKey(role)}`;
}

function warnOfFullProvider(mapping: RoleMapping, snapshot: PolicySnapshot): Fault[] {
  const clients = providerClients(mapping, snapshot) ?? 0;
  if (clients <= maxProviderClients) return [];
  const detail = `is one of ${clients} app clients of the pool with roles in this account; an OIDC provider of IAM takes ${maxProviderClients}`;
  return [{ pointer: '/principal/client', detail }];
}
