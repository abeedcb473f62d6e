/** What is legal in a role mapping, but perhaps not what its author wants. */

import type { PiecesOfWork } from '../../kit/timing/in-turns.ts';
import type { Fault } from '../fault.ts';
import { hasAttribution } from '../session/attribution.ts';
import { doubtfulClaims } from '../session/doubtful-claims.ts';
import { packedSizeEstimate } from '../session/packed-size.ts';
import { unseenByDeny } from './conditions/conditions.ts';
import { type KnownPools, unreachable } from './mapping-reach.ts';
import { misreadNames } from './misread-names.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';
import { type ProviderClients, providerClients } from './provider-clients.ts';
import { type RivalsOf, rivals } from './rivals.ts';
import type { RoleMapping } from './role-mapping.ts';
import { type FirstSharers, firstSharers, sharesItsName } from './shared-session-name.ts';

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

/** What the policy holds around the mappings that are asked about. */
interface Around {
  readonly clientsOf: ProviderClients;
  readonly sharersOf: FirstSharers;
  readonly rivalsOf: RivalsOf;
}

/** Those of each mapping, in the order in which they are asked about: the policy is walked over once for all of them. */
export function* mappingWarnings(
  asked: readonly RoleMapping[],
  { snapshot, pools, now }: KnownAround,
): PiecesOfWork<readonly (readonly Fault[])[]> {
  const around = snapshot && (yield* lookAround(asked, snapshot));
  const warnings: (readonly Fault[])[] = [];
  for (const mapping of asked) {
    const others = around && (yield* around.sharersOf(mapping, maxShown));
    warnings.push(warningsOf(mapping, { pools, now, around, others: others ?? [] }));
  }
  return warnings;
}

function* lookAround(
  asked: readonly RoleMapping[],
  snapshot: PolicySnapshot,
): PiecesOfWork<Around> {
  const allows = asked.filter(({ effect }) => effect === 'allow');
  return {
    clientsOf: yield* providerClients(allows, snapshot),
    sharersOf: yield* firstSharers(
      allows.filter((mapping) => !sharesItsName(mapping)),
      snapshot,
    ),
    rivalsOf: yield* rivals(asked, snapshot),
  };
}

interface Known extends Pick<KnownAround, 'pools' | 'now'> {
  readonly around: Around | undefined;
  /** Ids of mappings that may have the same session name. */
  readonly others: readonly string[];
}

function warningsOf(mapping: RoleMapping, { pools, now, around, others }: Known): readonly Fault[] {
  return [
    ...warnOfNoEffect(mapping, now),
    ...misreadNames(mapping),
    ...(pools === undefined ? [] : warnOfNobody(mapping, pools)),
    ...(mapping.effect === 'allow'
      ? [
          ...warnOfShortSession(mapping),
          ...warnOfPeople(mapping),
          ...warnOfSharedName(mapping, others),
          ...warnOfPackedSize(mapping),
          ...warnOfDoubtfulClaims(mapping),
        ]
      : [...warnOfWideDeny(mapping), ...unseenByDeny(mapping)]),
    ...(around === undefined ? [] : warnOfOverlap(around.rivalsOf(mapping))),
    ...(around === undefined ? [] : warnOfFullProvider(around.clientsOf(mapping) ?? 0)),
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
function warnOfSharedName(mapping: RoleMapping, others: readonly string[]): Fault[] {
  const pointer = '/session/name';
  if (sharesItsName(mapping)) {
    const detail =
      'gives everybody whom the mapping applies to one session name, so that CloudTrail cannot tell them apart: put {sub} into it';
    return [{ pointer, detail }];
  }
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

function warnOfOverlap(others: readonly string[]): Fault[] {
  if (others.length === 0) return [];
  const shown = others.slice(0, maxShown).join(', ');
  return [
    {
      pointer: '/role',
      detail: `${others.length} more for the same principal and role (${shown}): the lowest precedence, then the first id wins where all conditions hold`,
    },
  ];
}

function warnOfFullProvider(clients: number): Fault[] {
  if (clients <= maxProviderClients) return [];
  const detail = `is one of ${clients} app clients of the pool with roles in this account; an OIDC provider of IAM takes ${maxProviderClients}`;
  return [{ pointer: '/principal/client', detail }];
}
