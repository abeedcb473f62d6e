/** Machines, people and social identities with tokens of all kinds, and mappings that may or may not be for them. */

import type { IdentityPool } from '../emulators/issuer/identity-pool.ts';
import type { RoleMappingInput } from '../src/core/policy/role-mapping.ts';
import type { FrozenThing } from './administrator.ts';
import type { Asker } from './policy-oracle.ts';
import {
  account,
  type ClientName,
  type CrowdCaller,
  clientIdOf,
  pool,
  roleNamed,
  subjectAt,
  trustOf,
  type World,
} from './world.ts';

export const crowdIdentityPool = 'us-east-1:0f0e0d0c-1111-4222-8333-444455556666';

/** One token, and what the laboratory put into it. */
export interface Presented extends CrowdCaller {
  readonly asker: Asker;
}

const people = 10;
const teams = [undefined, 'orders', 'payments', ['orders', 'night'], 7];
const factors = [undefined, ['pwd'], ['pwd', 'mfa']];
const groups = ['team-a', 'team-b'];
const providers = ['graph.facebook.com', 'accounts.google.com'];
const plainRoles = ['plain-1', 'plain-2', 'plain-3'].map(roleNamed);
const mfaRole = roleNamed('with-mfa');
const facebookRole = roleNamed('from-facebook');
export const crowdRoles = [...plainRoles, mfaRole, facebookRole];

/** What the trust policy of the role asks of a token, besides its audience. */
export function isTrusted(role: string, { amr, pool: from }: Asker): boolean {
  if (role === mfaRole) return from === pool && amr.includes('mfa');
  if (role === facebookRole)
    return from === crowdIdentityPool && amr.includes('graph.facebook.com');
  return true;
}

/** Makes the roles and the identity pool known to STS. */
export function prepareCrowd({ sts, issuer, clientIds }: World, identities: IdentityPool): void {
  const { url, jwksUri } = identities;
  sts.putProvider({ accountId: account, issuer: url, jwksUri, clientIds: [crowdIdentityPool] });
  const ofPool = (amr?: string) => trustOf(issuer.url, clientIds, amr);
  const ofIdentities = (amr?: string) => trustOf(url, [crowdIdentityPool], amr);
  const trust = (arn: string, ...policies: { readonly Statement: readonly object[] }[]) =>
    sts.putRole({
      arn,
      maxSessionDurationSeconds: 43_200,
      trustPolicy: {
        Version: '2012-10-17',
        Statement: policies.flatMap(({ Statement }) => Statement),
      },
    });
  for (const role of plainRoles) trust(role, ofPool(), ofIdentities());
  trust(mfaRole, ofPool('mfa'));
  trust(facebookRole, ofIdentities('graph.facebook.com'));
}

export type Random = <Item>(items: readonly Item[]) => Item;

/** Reproducible (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed;
  return (items) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    const fraction = ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    return items[Math.floor(fraction * items.length)] as (typeof items)[number];
  };
}

const kinds = ['machine', 'person', 'person', 'person', 'identity'] as const;

/** A new token of somebody. */
export function present(world: World, identities: IdentityPool, random: Random): Presented {
  const kind = random(kinds);
  return kind === 'identity' ? identity(identities, random) : member(world, random, kind);
}

function member(world: World, random: Random, kind: 'machine' | 'person'): Presented {
  const clientName = random<ClientName>(
    kind === 'machine' ? ['orders', 'reports'] : ['crowd', 'orders'],
  );
  const person = kind === 'person' ? random(numbers(people)) : undefined;
  const machine = person === undefined;
  const scopes = random([[], ['faults/use']]);
  const memberships = machine ? [] : groups.filter(() => random([true, false]));
  const amr = machine ? undefined : random(factors);
  const team = random(teams);
  const valid = random(numbers(25)) !== 0;
  const { token, subject, clientId } = world.tokenOf(clientName, person, {
    scope: scopes.join(' '),
    ...(memberships.length === 0 ? {} : { 'cognito:groups': memberships }),
    ...(amr === undefined ? {} : { amr }),
    ...(team === undefined ? {} : { 'custom:team': team }),
    ...(valid ? {} : longAgo()),
  });
  return {
    name: machine ? clientName : `user ${person} of ${clientName}`,
    subject,
    token,
    role: undefined,
    asker: {
      pool,
      client: clientId,
      user: subject,
      groups: memberships,
      machine,
      scopes,
      team,
      amr: amr ?? [],
      valid,
    },
  };
}

function longAgo() {
  const now = Math.floor(Date.now() / 1000);
  return { auth_time: now - 4_200, iat: now - 4_200, exp: now - 600 };
}

function identity(identities: IdentityPool, random: Random): Presented {
  const user = identityId(random(numbers(4)));
  const provider = random(providers);
  return {
    name: user,
    subject: user,
    token: identities.issueOpenIdToken({
      identityId: user,
      provider: { name: provider, subject: '1234:5678' },
    }),
    role: undefined,
    asker: {
      pool: crowdIdentityPool,
      client: undefined,
      user,
      groups: [provider],
      machine: false,
      scopes: [],
      team: undefined,
      amr: ['authenticated', provider, `${provider}:1234:5678`],
      valid: true,
    },
  };
}

function identityId(number: number): string {
  return `us-east-1:${String(number).repeat(8)}-aaaa-4bbb-8ccc-dddddddddddd`;
}

/** For anybody of the crowd, or for nobody; `edit` is in its session policy, so that sessions tell versions apart. */
export function anyMapping(id: string, edit: number, random: Random) {
  const effect = random(['allow', 'allow', 'allow', 'allow', 'allow', 'deny'] as const);
  const allows = effect === 'allow';
  const principal = anyPrincipal(random);
  const Resource = `arn:aws:s3:::edit/${edit}/*`;
  const Statement = [{ Effect: 'Allow', Action: 's3:GetObject', Resource }];
  const callerPolicy = random([true, false, false]);
  // What can never hold is refused.
  const machines = principal.pool === pool && !('user' in principal);
  const maxDurationSeconds = random([1800, 3600]);
  const mapping: RoleMappingInput = {
    id,
    principal,
    effect,
    role: random(
      principal.pool === crowdIdentityPool ? crowdRoles : [...plainRoles, mfaRole, mfaRole],
    ),
    conditions: {
      ...random([{}, {}, {}, {}, { caller: 'person' as const }, machines ? machine : {}]),
      ...(allows && principal.pool === pool ? random([{}, {}, { scopes: ['faults/use'] }]) : {}),
      ...random([{}, {}, {}, { claims: { 'custom:team': ['orders'] } }]),
      ...random([{}, {}, {}, { sourceCidrs: ['127.0.0.0/8'] }, { sourceCidrs: ['10.0.0.0/8'] }]),
    },
    session: {
      name: '{mapping}.{sub}',
      durationSeconds: 1800,
      maxDurationSeconds,
      ...(allows && callerPolicy
        ? { callerPolicy }
        : { policy: { Version: '2012-10-17', Statement } }),
    },
    precedence: random([50, 100]),
    owner: 'faults',
    enabled: random(numbers(10)) !== 0,
  };
  return mapping;
}

const machine = { caller: 'machine' } as const;

function anyPrincipal(random: Random): RoleMappingInput['principal'] {
  return random([
    () => ({ pool, client: clientIdOf(random(['orders', 'reports', 'crowd'])) }),
    () => ({ pool, client: clientIdOf('crowd') }),
    () => ({ pool, user: subjectAt(random(numbers(people))) }),
    () => ({ pool, group: random(groups) }),
    () => ({ pool: crowdIdentityPool, group: random(providers) }),
    () => ({ pool: crowdIdentityPool, user: identityId(random(numbers(4))) }),
  ])();
}

export function anyFreeze(random: Random): FrozenThing {
  const everybody = { pool: random([pool, crowdIdentityPool]), any: true } as const;
  return random([
    () => ({ principal: anyPrincipal(random), role: '*' }),
    () => ({ principal: anyPrincipal(random), role: random(crowdRoles) }),
    () => ({ principal: everybody, role: random(crowdRoles) }),
    () => ({ principal: everybody, role: random(['*', ...crowdRoles]) }),
  ])();
}

export function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}
