/** What each profile refuses, beyond the shape of single settings. */

import { isIP } from 'node:net';
import { knownPools } from '../identity/trusted-issuers.ts';
import { checkIssuers, checkProductionIssuers, trustedIssuersOf } from './configured-issuers.ts';
import type { Config } from './schema.ts';
import type { SettingFault } from './settings.ts';
import { checkWebIdentity } from './web-identity.ts';

/** The parts of the process environment that can make a safe configuration unsafe. */
export interface RuntimeFacts {
  readonly nodeOptions: string;
  /** Of which of its parts Node itself writes to standard error. */
  readonly nodeDebug: string;
  readonly execArgv: readonly string[];
  readonly tlsRejectUnauthorized: string | undefined;
  readonly userId: number | undefined;
  /** An inspector is open: by an option, or by a signal that came before anything listened for it. */
  readonly inspected: boolean;
}

type AdminConfig = NonNullable<Config['admin']>;

export function checkProfile(config: Config, runtime: RuntimeFacts): SettingFault[] {
  const faults = checkRelations(config);
  if (config.profile === 'development') faults.push(...checkDevelopment(config));
  else faults.push(...checkProduction(config), ...checkRuntime(runtime));
  return faults;
}

function checkRelations(config: Config): SettingFault[] {
  const { identity, keys, admin, audit, sts } = config;
  const faults = checkIssuers(identity);
  if (keys.refreshSeconds >= keys.maxAgeSeconds) {
    faults.push(fault('keys.refreshSeconds', 'must be less than maxAgeSeconds'));
  }
  if (admin !== undefined) faults.push(...checkAdmin(admin, identity));
  if (audit.directory === undefined && !audit.stdout) {
    faults.push(
      fault('audit', 'needs a directory, or stdout: true where the platform keeps the output'),
    );
  }
  const { seal } = config.policy;
  if (seal?.kms !== undefined && seal.keyFile !== undefined) {
    faults.push(fault('policy.seal', 'takes one key: kms, or keyFile in the development profile'));
  }
  faults.push(...checkWebIdentity(config));
  if (audit.checkpoints !== undefined) faults.push(...checkCheckpoints(audit));
  if (sts.requestTimeoutMs > sts.totalTimeoutMs) {
    faults.push(fault('sts.requestTimeoutMs', 'must not exceed totalTimeoutMs'));
  }
  return faults;
}

function checkCheckpoints({ directory, checkpoints }: Config['audit']): SettingFault[] {
  const faults: SettingFault[] = [];
  if (directory === undefined) {
    faults.push(fault('audit.checkpoints', 'needs audit.directory: standard output has none'));
  }
  if ((checkpoints?.kms === undefined) === (checkpoints?.keyFile === undefined)) {
    faults.push(
      fault('audit.checkpoints', 'needs one key: kms, or keyFile in the development profile'),
    );
  }
  return faults;
}

/** Whoever can sign in by an app client holds its scopes: that alone makes nobody an administrator (T56). */
function checkAdmin(admin: AdminConfig, identity: Config['identity']): SettingFault[] {
  const faults: SettingFault[] = checkAdminPool(admin, identity);
  if (admin.console !== undefined && !admin.clients.includes(admin.console.client)) {
    faults.push(fault('admin.console.client', 'must be one of admin.clients'));
  }
  const people = namesPeople(admin);
  if (!people && !admin.machines) {
    faults.push(
      fault(
        'admin',
        'names nobody: add groups or users (by their "sub") of the pool for people, or machines: true if the listed app clients are administrators themselves, by tokens of the client-credentials grant',
      ),
    );
  }
  for (const [name, asked] of [
    ['maxSignInAgeSeconds', admin.maxSignInAgeSeconds !== undefined],
    ['requiredAmr', admin.requiredAmr.length > 0],
    ['console', admin.console !== undefined],
  ] as const) {
    if (!asked || people) continue;
    faults.push(
      fault(
        `admin.${name}`,
        'is about people, and none are named: add groups or users, or remove it',
      ),
    );
  }
  return faults;
}

/** Names and addresses can be changed by whoever has them: as `users` they would never match, or match a stranger. */
function checkAdminPool({ pool: name, clients, users }: AdminConfig, identity: Config['identity']) {
  const pool = knownPools(trustedIssuersOf(identity)).get(name);
  const accepted = pool?.clients;
  if (pool === undefined || accepted === undefined) {
    const detail = 'must be one of the pools in identity, of a kind that has app clients';
    return [fault('admin.pool', detail)];
  }
  const faults = users.flatMap((user, index) =>
    pool.subject.pattern.test(user) ? [] : [fault(`admin.users.${index}`, pool.subject.meaning)],
  );
  return clients.every((client) => accepted.has(client))
    ? faults
    : [...faults, fault('admin.clients', 'must be among the app clients of that pool')];
}

function namesPeople({ groups, users }: AdminConfig): boolean {
  return groups.length + users.length > 0;
}

function checkDevelopment({ listeners }: Config): SettingFault[] {
  return Object.entries(listeners)
    .filter(([, { host }]) => !isLoopbackHost(host))
    .map(([name]) =>
      fault(`listeners.${name}.host`, 'must be a loopback address in the development profile'),
    );
}

function checkProduction(config: Config): SettingFault[] {
  const faults: SettingFault[] = [
    ...checkProductionIssuers(config.identity),
    ...checkAdminSignIn(config.admin),
    ...checkConsole(config.admin),
  ];
  if (config.audit.checkpoints?.keyFile !== undefined) {
    faults.push(
      fault(
        'audit.checkpoints.keyFile',
        'must not be set in the production profile: whoever can change the log could sign for it too. Use kms',
      ),
    );
  }
  if (config.policy.seal?.keyFile !== undefined) {
    faults.push(
      fault(
        'policy.seal.keyFile',
        'must not be set in the production profile: whoever reads the file could seal forged changes. Use kms',
      ),
    );
  }
  for (const [path, url] of endpointsOf(config)) {
    const { protocol, hostname } = new URL(url);
    if (protocol !== 'https:') faults.push(fault(path, 'must be https in the production profile'));
    if (isLocalName(hostname) || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) {
      faults.push(fault(path, 'must name another host, not an address, in the production profile'));
    }
  }
  for (const [name, { host, tls, tlsTerminatedUpstream }] of Object.entries(config.listeners)) {
    if (name === 'ops' || isLoopbackHost(host) || tls !== undefined || tlsTerminatedUpstream)
      continue;
    faults.push(
      fault(
        `listeners.${name}`,
        'would speak plain HTTP beyond this host: set tls, or tlsTerminatedUpstream: true if something in front terminates TLS',
      ),
    );
  }
  return faults;
}

/** A browser left open must not be an administrator tomorrow: refreshing goes on for weeks. */
function checkAdminSignIn(admin: Config['admin']): SettingFault[] {
  if (admin === undefined || !namesPeople(admin) || admin.maxSignInAgeSeconds !== undefined) {
    return [];
  }
  return [
    fault(
      'admin.maxSignInAgeSeconds',
      'must be set in the production profile where people are administrators, for example to 3600: a token can be refreshed for weeks after the sign-in',
    ),
  ];
}

/** Its own address is a guess of whoever deploys it: behind a proxy, browsers have never seen it. */
function checkConsole(admin: Config['admin']): SettingFault[] {
  if (admin?.console === undefined || admin.console.origin !== undefined) return [];
  return [
    fault(
      'admin.console.origin',
      'must be set in the production profile: the name by which browsers find the admin listener',
    ),
  ];
}

/** Those of issuers are compared with the forms that they can have. */
function* endpointsOf(config: Config): Generator<[path: string, url: string]> {
  const { policy, sts, admin, webIdentity } = config;
  yield* awsEndpointsOf(config);
  const { console: page } = admin ?? {};
  if (page !== undefined) yield ['admin.console.signInUrl', page.signInUrl];
  if (page?.origin !== undefined) yield ['admin.console.origin', page.origin];
  if (policy.endpoint !== undefined) yield ['policy.endpoint', policy.endpoint];
  // What else is wrong with it is said already.
  const { issuer = '' } = webIdentity ?? {};
  if (/^https:/.test(issuer) && URL.canParse(issuer)) yield ['webIdentity.issuer', issuer];
  for (const [index, { endpoint }] of sts.endpoints.entries()) {
    if (endpoint !== undefined) yield [`sts.endpoints.${index}.endpoint`, endpoint];
  }
}

function* awsEndpointsOf({ policy, audit, webIdentity }: Config) {
  const keys = {
    'audit.checkpoints': audit.checkpoints,
    'policy.seal': policy.seal,
    'webIdentity.keys.current': webIdentity?.keys?.current,
    'webIdentity.keys.next': webIdentity?.keys?.next,
    'webIdentity.keys.previous': webIdentity?.keys?.previous,
  };
  for (const [path, key] of Object.entries(keys)) {
    const endpoint = key?.kms?.endpoint;
    if (endpoint !== undefined) yield [`${path}.kms.endpoint`, endpoint] as [string, string];
  }
  const copies = audit.checkpoints?.s3?.endpoint;
  if (copies !== undefined) yield ['audit.checkpoints.s3.endpoint', copies] as [string, string];
}

/** Heap snapshots hold tokens, reports the environment, a key log what decrypts TLS, and an abort leaves a core file. */
const dangerousOptions =
  /--(?:inspect|insecure-http-parser|heapsnapshot|report-(?:on|uncaught)|tls-keylog|abort-on-uncaught)/;

function checkRuntime({
  nodeOptions,
  nodeDebug,
  execArgv,
  tlsRejectUnauthorized,
  userId,
  inspected,
}: RuntimeFacts): SettingFault[] {
  const faults: SettingFault[] = [];
  // Node takes an underscore for a dash in the names of its options.
  const options = `${nodeOptions} ${execArgv.join(' ')}`.replaceAll('_', '-');
  if (dangerousOptions.test(options)) {
    faults.push(
      fault(
        '',
        'Node options open an inspector, write secrets to files or loosen the HTTP parser: remove them',
      ),
    );
  }
  if (nodeDebug !== '') {
    faults.push(fault('', 'NODE_DEBUG puts requests with their tokens into the log: remove it'));
  }
  if (inspected) {
    faults.push(
      fault('', 'an inspector is open, which reads tokens out of memory: restart without'),
    );
  }
  if (tlsRejectUnauthorized === '0') {
    faults.push(
      fault('', 'NODE_TLS_REJECT_UNAUTHORIZED=0 switches certificate checks off: remove it'),
    );
  }
  if (userId === 0) faults.push(fault('', 'must not run as root in the production profile'));
  return faults;
}

/** RFC 6761 section 6.3: localhost and every name below it, with or without the final dot. */
function isLocalName(hostname: string): boolean {
  return /(?:^|\.)localhost\.?$/.test(hostname);
}

function isLoopbackHost(host: string): boolean {
  return (
    host === 'localhost' || host === '::1' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
  );
}

function fault(path: string, detail: string): SettingFault {
  return { path, detail };
}
