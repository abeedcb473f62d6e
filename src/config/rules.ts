/**
 * What settings ask of each other. Each rule stands alone, and reads no more than it is about: where the schema refused that, it
 * has no answer, and the others go on.
 */

import { knownPools } from '../identity/trusted-issuers.ts';
import { namesPeople } from './admin-access.ts';
import { checkIssuers, trustedIssuersOf } from './configured-issuers.ts';
import { type ConfigRule, fault } from './fault.ts';
import { profileRules } from './profile.ts';
import type { Config } from './schema.ts';
import { checkRegions } from './services.ts';
import { whereSettled } from './settled.ts';
import { issuerRules } from './web-identity.ts';

type AdminConfig = NonNullable<Config['admin']>;

export const configRules: readonly ConfigRule[] = [
  checkIssuers,
  checkRegions,
  keysOutliveTheirRefresh,
  ...[
    adminPoolIsTrusted,
    adminClientsAreTrusted,
    adminUsersAreSubjects,
    consoleClientIsListed,
    somebodyIsAdministrator,
    aboutPeopleOfWhomThereAreSome,
  ].map(
    (rule): ConfigRule =>
      (config) =>
        config.admin === undefined ? [] : rule(config.admin, config),
  ),
  auditHasSink,
  sealHasOneKey,
  personClaimIsKept,
  ...issuerRules,
  checkpointsHaveLog,
  checkpointsHaveOneKey,
  stsTriesFit,
  stsEndpointsDiffer,
  ...profileRules,
];

function* keysOutliveTheirRefresh({ keys }: Config) {
  if (keys.refreshSeconds >= keys.maxAgeSeconds) {
    yield fault('keys.refreshSeconds', 'must be less than maxAgeSeconds');
  }
}

function* adminPoolIsTrusted({ pool }: AdminConfig, { identity }: Config) {
  const accepted = knownPools(trustedIssuersOf(identity)).get(pool)?.clients;
  if (accepted !== undefined) return;
  yield fault('admin.pool', 'must be one of the pools in identity, of a kind that has app clients');
}

function* adminClientsAreTrusted({ pool, clients }: AdminConfig, { identity }: Config) {
  const accepted = knownPools(trustedIssuersOf(identity)).get(pool)?.clients;
  if (accepted === undefined || clients.every((client) => accepted.has(client))) return;
  yield fault('admin.clients', 'must be among the app clients of that pool');
}

/** Names and addresses can be changed by whoever has them: as `users` they would never match, or match a stranger. */
function* adminUsersAreSubjects({ pool: name, users }: AdminConfig, { identity }: Config) {
  const pool = knownPools(trustedIssuersOf(identity)).get(name);
  if (pool?.clients === undefined) return;
  for (const [index, user] of users.entries()) {
    if (!pool.subject.pattern.test(user)) yield fault(`admin.users.${index}`, pool.subject.meaning);
  }
}

function* personClaimIsKept({ guardrails, identity }: Config) {
  const { personClaim } = guardrails.approval;
  if (personClaim === undefined || identity.matchableClaims.includes(personClaim)) return;
  const detail = 'must be one of identity.matchableClaims: of others nothing is kept';
  yield fault('guardrails.approval.personClaim', detail);
}

function* consoleClientIsListed({ console: page, clients }: AdminConfig) {
  if (page === undefined || clients.includes(page.client)) return;
  yield fault('admin.console.client', 'must be one of admin.clients');
}

/** Whoever can sign in by an app client holds its scopes: that alone makes nobody an administrator (T56). */
function* somebodyIsAdministrator(admin: AdminConfig) {
  if (namesPeople(admin) || admin.machines) return;
  yield fault(
    'admin',
    'names nobody: add groups or users (by their "sub") of the pool for people, or machines: true if the listed app clients are administrators themselves, by tokens of the client-credentials grant',
  );
}

function* aboutPeopleOfWhomThereAreSome(admin: AdminConfig) {
  if (namesPeople(admin)) return;
  for (const [name, asked] of [
    ['maxSignInAgeSeconds', admin.maxSignInAgeSeconds !== undefined],
    ['requiredAmr', admin.requiredAmr.length > 0],
    ['console', admin.console !== undefined],
  ] as const) {
    if (!asked) continue;
    yield fault(
      `admin.${name}`,
      'is about people, and none are named: add groups or users, or remove it',
    );
  }
}

function* auditHasSink({ audit }: Config) {
  if (audit.directory !== undefined || audit.stdout) return;
  yield fault('audit', 'needs a directory, or stdout: true where the platform keeps the output');
}

function* sealHasOneKey({ policy: { seal } }: Config) {
  if (seal?.kms === undefined || seal.keyFile === undefined) return;
  yield fault('policy.seal', 'takes one key: kms, or keyFile in the development profile');
}

function* checkpointsHaveLog({ audit: { directory, checkpoints } }: Config) {
  if (checkpoints === undefined || directory !== undefined) return;
  yield fault('audit.checkpoints', 'needs audit.directory: standard output has none');
}

function* checkpointsHaveOneKey({ audit: { checkpoints } }: Config) {
  if (checkpoints === undefined) return;
  if ((checkpoints.kms === undefined) !== (checkpoints.keyFile === undefined)) return;
  yield fault('audit.checkpoints', 'needs one key: kms, or keyFile in the development profile');
}

function* stsTriesFit({ sts }: Config) {
  if (sts.requestTimeoutMs <= sts.totalTimeoutMs) return;
  yield fault('sts.requestTimeoutMs', 'must not exceed totalTimeoutMs');
}

/** The second one would be tried although the first has just failed. */
function stsEndpointsDiffer({ sts }: Config) {
  const known = new Set<string>();
  return whereSettled(sts.endpoints.keys(), (index) => {
    const { region, endpoint } = sts.endpoints[index] ?? {};
    const name = JSON.stringify([region, endpoint]);
    if (known.has(name)) return [fault(`sts.endpoints.${index}`, 'is there twice')];
    known.add(name);
    return [];
  });
}
