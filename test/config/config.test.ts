import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { configFaultLine } from '../../src/config/fault.ts';
import { ConfigError, loadConfig, parseConfig } from '../../src/config/load.ts';
import { processRule, type RuntimeFacts } from '../../src/config/process.ts';
import type { Config } from '../../src/config/schema.ts';
import { listSettings, type Setting } from '../../src/config/settings.ts';
import { sampled } from '../support/fuzz-budget.ts';
import { makePipe } from '../support/hostile-files.ts';
import { ordinaryProcess } from '../support/ordinary-process.ts';

const pool = 'us-east-1_AbCdEf123';
const issuer = `https://cognito-idp.us-east-1.amazonaws.com/${pool}`;
const user = '7d8e2a5c-1111-4222-8333-944445555666';
const identityPoolId = 'us-east-1:0a1b2c3d-1111-4222-8333-944445555666';

/** Valid in both profiles. */
function base() {
  return {
    profile: 'production',
    listeners: { api: { host: '127.0.0.1' } },
    identity: { userPools: [{ pool, issuer, clients: ['one', 'two'] }] },
    policy: { table: 'role-mappings', region: 'us-east-1' },
    sts: { endpoints: [{ region: 'us-east-1' }] },
    audit: { directory: '/var/log/token-broker' },
  };
}

type Change = (document: Record<string, unknown>) => void;

interface Input {
  readonly change?: Change;
  readonly env?: Readonly<Record<string, string>>;
  readonly runtime?: Partial<RuntimeFacts>;
}

function parse({ change, env = {}, runtime }: Input = {}): Config {
  const document = base();
  change?.(document);
  return parseText(JSON.stringify(document), env, { ...ordinaryProcess, ...runtime });
}

function parseText(text: string, env: Input['env'] = {}, runtime = ordinaryProcess): Config {
  return parseConfig({ path: 'config.yaml', text }, { env, rules: [processRule(runtime)] });
}

function faultsOf(run: () => Config): readonly string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(configFaultLine);
    throw error;
  }
}

/** Settings at fault; the variable where it is about no setting. */
function pathsOf(input: Input): readonly string[] {
  try {
    parse(input);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ setting, variable }) => setting || (variable ?? ''));
  }
}

function set(path: string, value: unknown): Change {
  return (document) => {
    const names = path.split('.');
    const last = names.pop() ?? '';
    let at: Record<string, unknown> = document;
    for (const name of names) {
      at[name] ??= {};
      at = at[name] as Record<string, unknown>;
    }
    at[last] = value;
  };
}

const all =
  (...changes: readonly Change[]): Change =>
  (document) => {
    for (const change of changes) change(document);
  };

describe('a configuration', () => {
  it('is complete with its defaults', () => {
    const config = parse();
    expect(config).toMatchObject({
      ...base(),
      listeners: { api: { port: 8080 }, admin: { port: 8081 }, ops: { port: 9090 } },
      identity: { maxTokenBytes: 8192, clockToleranceSeconds: 30, identityPools: [] },
      policy: { maxAgeSeconds: 14_400, pollSeconds: 2, acceptShrink: false },
      audit: { stdout: false },
    });
    expect(config.identity.userPools[0]?.tokenUse).toEqual(['access']);
    expect(config.admin).toBeUndefined();
  });

  it('cannot be changed afterwards, at any depth', () => {
    const config = parse();
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(config)).toBe(true);
  });

  it('is told all its faults at once, each with its path', () => {
    const change = all(
      set('profile', 'staging'),
      set('listeners.api.port', 70_000),
      set('identity.userPools', [{ pool: 'x', issuer: 'ftp://x', clients: [] }]),
      set('policy.region', 'mars'),
      set('sts.endpoints', []),
      set('audit.deadlineMs', '1 s'),
    );
    expect(pathsOf({ change, env: { TOKEN_BROKER_POLCY_TABLE: 'x' } })).toEqual([
      'profile',
      'listeners.api.port',
      'identity.userPools.0.pool',
      'identity.userPools.0.issuer',
      'identity.userPools.0.clients',
      'policy.region',
      'sts.endpoints',
      'audit.deadlineMs',
      'TOKEN_BROKER_POLCY_TABLE',
    ]);
  });

  it('is told what is wrong between settings although single ones are refused too', () => {
    const change = all(
      set('keys', { refreshSeconds: 300, maxAgeSeconds: 300, timeoutMs: 'soon' }),
      set('policy', { table: 'role-mappings', region: 'us-esat-1', endpoint: 'ftp://x' }),
      set('sts', {
        endpoints: [{ region: 'mars' }, { region: 'us-east-9' }],
        totalTimeoutMs: 1000,
      }),
      set('admin', { pool, clients: ['three'], machines: 'yes', console: {} }),
      set('identity.userPools', [
        { pool, issuer: `${issuer}4`, clients: ['one'] },
        { pool, name: 'other', issuer: 7, clients: ['one'] },
        { pool, name: 'staff', issuer, clients: ['one'] },
      ]),
      set('listeners', { api: { host: '0.0.0.0', port: 'http' }, ops: { hots: 'x' } }),
      set('policy.seal', { publicKeyFiles: [], keyFile: '/a' }),
    );
    expect(new Set(pathsOf({ change, runtime: { userId: 0 } }))).toEqual(
      new Set([
        'keys.refreshSeconds',
        'keys.timeoutMs',
        'policy.endpoint',
        'policy.seal.publicKeyFiles',
        'policy.seal.keyFile',
        'sts.endpoints.0.region',
        'sts.endpoints.1.region',
        'sts.requestTimeoutMs',
        'admin.machines',
        'admin.console',
        'admin.console.client',
        'admin.console.signInUrl',
        'admin.console.origin',
        'identity.userPools.0.issuer',
        'identity.userPools.1.issuer',
        'identity.userPools.2',
        'listeners.api',
        'listeners.api.port',
        'listeners.ops.hots',
        '',
      ]),
    );
  });

  it('is told nothing between settings that a refused one may settle otherwise', () => {
    const change = all(
      set('keys', { refreshSeconds: 5000, maxAgeSeconds: 'a day' }),
      set('identity.userPools', [{ pool, issuer, clients: 'one' }]),
      set('admin', { pool, clients: ['one'], users: 'ada', maxSignInAgeSeconds: 900 }),
      set('audit', { directory: 7 }),
      set('listeners.api', { host: '0.0.0.0', tls: { certFile: '/a' } }),
    );
    expect(pathsOf({ change })).toEqual([
      'listeners.api.tls.keyFile',
      'identity.userPools.0.clients',
      'audit.directory',
      'keys.maxAgeSeconds',
      'admin.users',
    ]);
  });

  it('is told so in words of its own, whatever setting is wrong, and however', () => {
    const foreign = /invalid|expected|received|Unrecognized|Too /i;
    const wrongs = [null, -7.5, '', [], { a: 1 }, 'x'.repeat(5000)];
    const settings = listSettings().filter(({ path }) => !path.includes('[]'));
    const cases = settings.flatMap(({ path }) => wrongs.map((wrong) => ({ path, wrong })));
    for (const { path, wrong } of sampled(cases, 5)) {
      const faults = faultsOf(() => parse({ change: set(path, wrong) }));
      const inForeignWords = faults.filter((line) => foreign.test(line));
      expect({ path, wrong, inForeignWords }).toEqual({ path, wrong, inForeignWords: [] });
    }
  });

  it('always remembers a token: limits and load shedding tell callers apart by what is remembered', () => {
    const path = 'identity.maxVerifiedTokens';
    expect(pathsOf({ change: set(path, 0) })).toEqual([path]);
  });

  it('is told all faults between its settings at once', () => {
    const change = all(
      set('identity.userPools', []),
      set('audit', {}),
      set('admin', { pool, clients: ['one'], machines: true }),
      set('sts.requestTimeoutMs', 4000),
      set('keys.maxAgeSeconds', 300),
    );
    expect(pathsOf({ change })).toEqual([
      'identity',
      'sts.requestTimeoutMs',
      'audit',
      'admin.pool',
      'keys.refreshSeconds',
    ]);
  });

  it.each<[string, Change, string]>([
    ['at the top', set('polcy', {}), 'polcy'],
    ['in a section', set('http.maxBodySize', 1), 'http.maxBodySize'],
    [
      'in an item of a list',
      set('sts.endpoints', [{ region: 'us-east-1', url: 'x' }]),
      'sts.endpoints.0.url',
    ],
    [
      'for the admin listener',
      set('admin', { pool, clients: ['one'], machines: true, scope: 'x' }),
      'admin.scope',
    ],
  ])('has no unknown setting %s', (_case, change, path) => {
    expect(pathsOf({ change })).toEqual([path]);
  });

  it.each<[string, string, RegExp]>([
    ['a fault of syntax', 'profile: production\npolicy: [a\n', /^config\.yaml:3:1: /],
    ['a tab', 'a:\n\tb: 1\n', /^config\.yaml:2:1: /],
    [
      'a key that stands twice',
      'profile: production\nprofile: development\n',
      /^config\.yaml:2:1: /,
    ],
    ['two documents', 'a: 1\n---\na: 2\n', /^config\.yaml:3:1: /],
  ])('says where it has %s', (_case, text, place) => {
    const faults = faultsOf(() => parseText(text));
    expect(faults[0]).toMatch(place);
    expect(faults.join()).not.toContain('\n');
  });

  it.each([
    ['an alias without an anchor', 'profile: *missing\n', 'aliases'],
    ['an anchor', 'profile: &one production\n', 'anchors'],
    ['a tag', 'profile: !!str production\n', 'tags'],
    ['a directive', '%YAML 1.1\n---\nprofile: production\n', 'directives'],
    ['a merge key', 'listeners: { <<: { api: {} } }\n', 'merge keys'],
    [
      'a number that is not kept as it is written',
      'sts: { maxInFlight: 007 }\n',
      'put it in quotes',
    ],
    ['aliases without end', aliasBomb(), 'anchors'],
  ])('is refused for %s, with its place, as a mapping would be (T163)', (_case, text, why) => {
    const [first, ...others] = faultsOf(() => parseText(text));
    expect(first).toMatch(/^config\.yaml:\d+:\d+: /);
    expect(first).toContain(why);
    for (const other of others) expect(other).toMatch(/^config\.yaml:\d+:\d+: /);
  });

  it('says in which line and column of the file a setting is wrong', () => {
    const text = `profile: staging
listeners:
  api: { host: 127.0.0.1, port: 70000 }
identity:
  userPools:
    - pool: ${pool}
      issuer: ftp://x
      clients: [one]
policy: { table: role-mappings, region: us-east-1, tabel: x }
sts:
  endpoints: []
audit: { directory: /var/log/token-broker }
`;
    const places = faultsOf(() => parseText(text)).map((line) => line.split(': ', 2).join(': '));
    expect(places).toEqual([
      'config.yaml:1:1: profile',
      'config.yaml:3:27: listeners.api.port',
      'config.yaml:7:7: identity.userPools.0.issuer',
      'config.yaml:9:52: policy.tabel',
      'config.yaml:11:3: sts.endpoints',
    ]);
  });

  it('has no place in the file for what is not in it: the environment, the process, a section left out', () => {
    const { policy: _without, ...rest } = base();
    const env = { TOKEN_BROKER_STS_TOTAL_TIMEOUT_MS: '1 s', TOKEN_BROKER_POLCY_TABLE: 'x' };
    const withTotal = { ...rest, sts: { ...rest.sts, totalTimeoutMs: 5000 } };
    const places = faultsOf(() => parseText(JSON.stringify(withTotal), env)).map((line) =>
      line.split(': ', 2).join(': '),
    );
    expect(places).toEqual([
      'config.yaml: policy',
      'environment: TOKEN_BROKER_POLCY_TABLE',
      'environment: TOKEN_BROKER_STS_TOTAL_TIMEOUT_MS',
    ]);
    const runtime = { ...ordinaryProcess, userId: 0 };
    expect(faultsOf(() => parseText(JSON.stringify(base()), {}, runtime))).toEqual([
      'this process: must not run as root in the production profile',
    ]);
  });

  it.each([
    '',
    '\n',
    '# nothing yet\n',
    '[]',
    'text',
    '7',
    'null',
    '{"__proto__": {"profile": "development"}}',
  ])('is refused when it is %j', (text) => {
    expect(faultsOf(() => parseText(text)).length).toBeGreaterThan(0);
  });

  it('has no settings that come from the prototype of all objects', () => {
    const text = JSON.stringify(base()).replace('{', '{"__proto__":{"admin":{}},');
    expect(faultsOf(() => parseText(text))).toHaveLength(1);
  });
});

function aliasBomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 8; level++) {
    const items = Array(10)
      .fill(`*a${level - 1}`)
      .join(', ');
    lines.push(`a${level}: &a${level} [${items}]`);
  }
  return lines.join('\n');
}

describe('relations between settings', () => {
  const identityPool = { pool: identityPoolId };
  const jwksUri = 'https://keys.example/jwks.json';
  const otherIssuer = `https://issuer-cognito-idp.us-east-1.amazonaws.com/${pool}`;

  it.each<[string, Change, string]>([
    [
      'one issuer for two user pools',
      set(
        'identity.userPools',
        [0, 1].map(() => base().identity.userPools[0]),
      ),
      'identity.userPools.1',
    ],
    [
      'one issuer for a user pool and an identity pool',
      set('identity.identityPools', [{ ...identityPool, issuer }]),
      'identity.identityPools.0',
    ],
    [
      'one identity pool twice',
      set('identity.identityPools', [
        identityPool,
        { ...identityPool, allowUnauthenticated: true },
      ]),
      'identity.identityPools.1',
    ],
    [
      'two places for the keys of one issuer',
      set('identity.identityPools', [
        identityPool,
        { pool: identityPoolId.replace('0a', '0b'), jwksUri },
      ]),
      'identity.identityPools.1',
    ],
    [
      'one name for two pools (T128)',
      set('identity', {
        userPools: [{ pool, name: 'staff', issuer, clients: ['one'] }],
        identityPools: [{ ...identityPool, name: 'staff' }],
      }),
      'identity.identityPools.0',
    ],
    [
      'two names for one pool (T128)',
      set('identity.userPools', [
        { pool, name: 'staff', issuer, clients: ['one'] },
        { pool, issuer: otherIssuer, clients: ['one'] },
      ]),
      'identity.userPools.1',
    ],
    [
      'a pool by the id of another (T128)',
      set('identity.userPools', [{ pool, name: 'us-east-1_Other', issuer, clients: ['one'] }]),
      'identity.userPools.0.name',
    ],
    [
      'an admin pool that is not trusted',
      set('admin', { pool: 'us-east-1_Other', clients: ['one'], machines: true }),
      'admin.pool',
    ],
    [
      'an admin client that is not trusted',
      set('admin', { pool, clients: ['one', 'three'], machines: true }),
      'admin.clients',
    ],
    [
      'administrators by app client alone (T56)',
      set('admin', { pool, clients: ['one'], groups: [], users: [], machines: false }),
      'admin',
    ],
    [
      'an age of the sign-in where only machines are meant (T57)',
      set('admin', { pool, clients: ['one'], machines: true, maxSignInAgeSeconds: 900 }),
      'admin.maxSignInAgeSeconds',
    ],
    [
      'a way of signing in where only machines are meant (T57)',
      set('admin', { pool, clients: ['one'], machines: true, requiredAmr: ['mfa'] }),
      'admin.requiredAmr',
    ],
    [
      'a try that may take longer than all tries',
      set('sts.totalTimeoutMs', 1999),
      'sts.requestTimeoutMs',
    ],
    [
      'keys that grow too old between two fetches',
      set('keys.refreshSeconds', 86_400),
      'keys.refreshSeconds',
    ],
    ['no place for audit records', set('audit', {}), 'audit'],
  ])('refuse %s', (_case, change, path) => {
    expect(pathsOf({ change: all(change, set('profile', 'development')) })).toEqual([path]);
    expect(pathsOf({ change })).toContain(path);
  });

  it('allow a user pool with both forms of its issuer', () => {
    const pools = [issuer, otherIssuer].map((one) => ({ pool, issuer: one, clients: ['one'] }));
    expect(pathsOf({ change: set('identity.userPools', pools) })).toEqual([]);
  });

  it('allow several identity pools of one issuer', () => {
    const pools = [identityPool, { pool: identityPoolId.replace('0a', '0b') }];
    expect(pathsOf({ change: set('identity.identityPools', pools) })).toEqual([]);
  });
});

describe('administrators', () => {
  const people = [{ groups: ['platform-admins'] }, { users: [user] }];
  const admin = (fields: object) => set('admin', { pool, clients: ['one'], ...fields });

  it('T57: in production, people as administrators of whom no recent sign-in is asked are refused', () => {
    for (const who of [...people, { ...people[0], machines: true }]) {
      expect(pathsOf({ change: admin(who) })).toEqual(['admin.maxSignInAgeSeconds']);
      expect(pathsOf({ change: admin({ ...who, maxSignInAgeSeconds: 900 }) })).toEqual([]);
      const change = all(admin(who), set('profile', 'development'));
      expect(pathsOf({ change })).toEqual([]);
    }
    expect(pathsOf({ change: admin({ machines: true }) })).toEqual([]);
  });

  describe('with a console', () => {
    const page = {
      client: 'one',
      signInUrl: 'https://sign-in.example.com',
      origin: 'https://broker.example.com',
    };
    const person = { ...people[0], maxSignInAgeSeconds: 900 };

    it.each<[string, object, string]>([
      ['by an app client that is none of theirs', { client: 'two' }, 'client'],
      ['at a name that is guessed', { origin: undefined }, 'origin'],
      ['at a name that anybody in between can read', { origin: 'http://a.example.com' }, 'origin'],
      ['at a path', { origin: 'https://a.example.com/console' }, 'origin'],
      ['at a name with a slash', { origin: 'https://a.example.com/' }, 'origin'],
      ['at a name in capitals', { origin: 'https://A.example.com' }, 'origin'],
      ['at this host', { origin: 'https://localhost' }, 'origin'],
      ['with a sign-in in the clear', { signInUrl: 'http://a.example.com' }, 'signInUrl'],
      ['with a sign-in at a path', { signInUrl: 'https://a.example.com/oauth2' }, 'signInUrl'],
    ])('T167: in production, pages %s are refused', (_what, changed, setting) => {
      expect(pathsOf({ change: admin({ ...person, console: page }) })).toEqual([]);
      const change = admin({ ...person, console: { ...page, ...changed } });
      expect(pathsOf({ change })).toEqual([`admin.console.${setting}`]);
    });

    it('are people: machines alone have no use for one', () => {
      const change = admin({ machines: true, console: page });
      expect(pathsOf({ change })).toEqual(['admin.console']);
    });
  });

  it('T56: are named as the tokens name them, or not at all', () => {
    for (const [fields, path] of [
      [{ users: ['ada'], maxSignInAgeSeconds: 3600 }, 'admin.users.0'],
      [{ users: ['ada@example.com'], maxSignInAgeSeconds: 3600 }, 'admin.users.0'],
      [{ users: [user.toUpperCase()], maxSignInAgeSeconds: 3600 }, 'admin.users.0'],
      [{ users: ['4abc0exampleclientid'], maxSignInAgeSeconds: 3600 }, 'admin.users.0'],
      [{ users: user }, 'admin.users'],
      [{ groups: ['*'], maxSignInAgeSeconds: 3600 }, 'admin.groups.0'],
      [{ groups: ['platform-*'], maxSignInAgeSeconds: 3600 }, 'admin.groups.0'],
      [{ groups: [''], maxSignInAgeSeconds: 3600 }, 'admin.groups.0'],
      [{ groups: ['caf\u0065\u0301'], maxSignInAgeSeconds: 3600 }, 'admin.groups.0'],
      [{ groups: 'platform-admins' }, 'admin.groups'],
      [{ machines: 'yes' }, 'admin.machines'],
      [{ machines: true, group: ['platform-admins'] }, 'admin.group'],
    ] as const) {
      expect([fields, pathsOf({ change: admin(fields) })]).toEqual([fields, [path]]);
    }
  });
});

const partitionsOfSdk = new URL(
  '../../node_modules/@aws-sdk/core/dist-es/submodules/client/util-endpoints/lib/aws/partitions.js',
  import.meta.url,
);

describe('values', () => {
  it('may be a region that is newer than this release, by the name of its endpoint', () => {
    const policy = { table: 'role-mappings', region: 'us-north-7' };
    expect(pathsOf({ change: set('policy', policy) })).toEqual(['policy.region']);
    const endpoint = 'https://dynamodb.us-north-7.amazonaws.com';
    expect(pathsOf({ change: set('policy', { ...policy, endpoint }) })).toEqual([]);
  });

  it('may be every region that the SDK knows', () => {
    const text = readFileSync(fileURLToPath(partitionsOfSdk), 'utf8');
    const { partitions } = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as {
      readonly partitions: readonly { readonly regions: object }[];
    };
    const regions = partitions.flatMap(({ regions: known }) => Object.keys(known));
    expect(regions.length).toBeGreaterThan(30);
    for (const region of regions.filter((name) => !name.endsWith('-global'))) {
      expect([region, ...pathsOf({ change: set('policy.region', region) })]).toEqual([region]);
    }
  });

  it.each<[string, Change, string]>([
    [
      'a receiver of traces that is sent to in the clear',
      set('traces', { endpoint: 'http://collector.example:4318/v1/traces' }),
      'traces.endpoint',
    ],
    [
      'a receiver of traces with a secret in its URL',
      set('traces', { endpoint: 'https://collector.example/v1/traces?key=1' }),
      'traces.endpoint',
    ],
    [
      'an issuer with user information',
      set('identity.userPools', [{ pool, issuer: 'https://a@b.example', clients: ['a'] }]),
      'identity.userPools.0.issuer',
    ],
    [
      'an issuer with a query',
      set('identity.userPools', [{ pool, issuer: 'https://b.example?a', clients: ['a'] }]),
      'identity.userPools.0.issuer',
    ],
    [
      'an issuer with a fragment',
      set('identity.userPools', [{ pool, issuer: 'https://b.example#a', clients: ['a'] }]),
      'identity.userPools.0.issuer',
    ],
    [
      'an issuer that is no URL',
      set('identity.userPools', [{ pool, issuer: 'b.example', clients: ['a'] }]),
      'identity.userPools.0.issuer',
    ],
    [
      'an issuer with a slash at its end',
      all(
        set('profile', 'development'),
        set('identity.userPools', [{ pool, issuer: `${issuer}/`, clients: ['a'] }]),
      ),
      'identity.userPools.0.issuer',
    ],
    [
      'one app client twice',
      set('identity.userPools', [{ pool, issuer, clients: ['a', 'b', 'a'] }]),
      'identity.userPools.0.clients.2',
    ],
    [
      'one endpoint twice',
      set('sts.endpoints', [{ region: 'us-east-1' }, { region: 'us-east-1' }]),
      'sts.endpoints.1',
    ],
    ['a region that there is not', set('policy.region', 'us-esat-1'), 'policy.region'],
    [
      'a region of a key that there is not',
      set('audit.checkpoints', { origin: 'a', kms: { keyId: 'a', region: 'eu-est-1' } }),
      'audit.checkpoints.kms.region',
    ],
    ['a path from who knows where', set('audit.directory', 'audit'), 'audit.directory'],
    ['a path of a home', set('keys.directory', '~/keys'), 'keys.directory'],
    [
      'a table endpoint with user information',
      set('policy.endpoint', 'https://a:b@c.example'),
      'policy.endpoint',
    ],
    [
      'an STS endpoint with a query',
      set('sts.endpoints', [{ region: 'us-east-1', endpoint: 'https://c.example/?a' }]),
      'sts.endpoints.0.endpoint',
    ],
    [
      'the global region of STS',
      set('sts.endpoints', [{ region: 'aws-global' }]),
      'sts.endpoints.0.region',
    ],
    [
      'a refresh token as a token use',
      set('identity.userPools', [{ pool, issuer, clients: ['a'], tokenUse: ['refresh'] }]),
      'identity.userPools.0.tokenUse.0',
    ],
    [
      'no token use',
      set('identity.userPools', [{ pool, issuer, clients: ['a'], tokenUse: [] }]),
      'identity.userPools.0.tokenUse',
    ],
    [
      'a claim that users choose themselves',
      set('identity.matchableClaims', ['username']),
      'identity.matchableClaims.0',
    ],
    [
      'a user name that users can change at any time (T106)',
      set('identity.matchableClaims', ['preferred_username']),
      'identity.matchableClaims.0',
    ],
    [
      'a claim that the token check fixes',
      set('identity.matchableClaims', ['custom:team', 'iss']),
      'identity.matchableClaims.1',
    ],
    [
      'an account id that YAML reads as a number',
      set('guardrails.allowedAccounts', [123456789012]),
      'guardrails.allowedAccounts.0',
    ],
    [
      'a partition that is none',
      set('guardrails.allowedPartitions', ['azure']),
      'guardrails.allowedPartitions.0',
    ],
    [
      'an empty list of partitions, which would read as any',
      set('guardrails.allowedPartitions', []),
      'guardrails.allowedPartitions',
    ],
    [
      'a role path that also begins other paths',
      set('guardrails.rolePathPrefixes', ['/broker']),
      'guardrails.rolePathPrefixes.0',
    ],
    [
      'a role name with a wildcard in its midst',
      set('guardrails.forbiddenRoleNames', ['Org*Role']),
      'guardrails.forbiddenRoleNames.0',
    ],
    [
      'a role name that forbids every role',
      set('guardrails.forbiddenRoleNames', ['*']),
      'guardrails.forbiddenRoleNames.0',
    ],
    [
      'a longest session of more than STS gives',
      set('guardrails.maxSessionSeconds', 43_201),
      'guardrails.maxSessionSeconds',
    ],
    ['a proxy that is no network', set('http.trustedProxies', ['true']), 'http.trustedProxies.0'],
    [
      'a token of more than STS takes',
      set('identity.maxTokenBytes', 16_385),
      'identity.maxTokenBytes',
    ],
    [
      'more than a minute of tolerance',
      set('identity.clockToleranceSeconds', 61),
      'identity.clockToleranceSeconds',
    ],
    [
      'tokens older than a day',
      set('identity.maxTokenAgeSeconds', 86_401),
      'identity.maxTokenAgeSeconds',
    ],
    ['keys older than a day', set('keys.maxAgeSeconds', 86_401), 'keys.maxAgeSeconds'],
    ['a policy older than a day', set('policy.maxAgeSeconds', 86_401), 'policy.maxAgeSeconds'],
    [
      'a policy asked for more rarely than every 5 s',
      set('policy.pollSeconds', 6),
      'policy.pollSeconds',
    ],
    [
      'a certificate without its key',
      set('listeners.api.tls', { certFile: '/tls/cert.pem' }),
      'listeners.api.tls.keyFile',
    ],
  ])('may not be %s', (_case, change, path) => {
    expect(pathsOf({ change })).toEqual([path]);
  });
});

const overridable = listSettings().filter(
  (setting): setting is Setting & { env: string } => setting.env !== undefined,
);

describe('the environment', () => {
  const changedPool = 'us-east-1_Changed';
  const page = {
    client: 'one',
    signInUrl: 'https://sign-in.example.com',
    origin: 'https://broker.example.com',
  };
  /** So that every section is there, and every candidate below is one of something. */
  const everySection = all(
    set('identity.userPools', [
      { pool, issuer, clients: ['one', 'changed'] },
      { pool: changedPool, issuer: issuer.replace(pool, changedPool), clients: ['one', 'changed'] },
    ]),
    set('admin', {
      pool,
      clients: ['one', 'changed'],
      groups: ['ops'],
      maxSignInAgeSeconds: 900,
      console: page,
    }),
    ...['api', 'admin', 'ops', 'identity'].map((name) =>
      set(`listeners.${name}.tls`, { certFile: '/cert.pem', keyFile: '/key.pem' }),
    ),
  );

  const origin = 'example.com/audit';
  const kms = { keyId: 'alias/audit', region: 'us-east-1' };
  const s3 = {
    bucket: 'evidence',
    bucketOwner: '111122223333',
    region: 'us-east-1',
    retentionDays: 1,
  };
  const publicKeyFiles = ['/seal.pub'];
  const chain = `${'A'.repeat(43)}=`;
  const keyFile = '/key.pem';
  /** The key is in KMS, or in a file where that may be. */
  const sectionsWith = (path: string) => {
    const inFile = (section: string) => path === `${section}.keyFile`;
    return all(
      everySection,
      ...(path.endsWith('.keyFile') ? [set('profile', 'development')] : []),
      set('audit.checkpoints', {
        origin,
        ...(inFile('audit.checkpoints') ? { keyFile } : { kms }),
        s3,
      }),
      set('identity.matchableClaims', ['changed']),
      set('traces', { endpoint: 'https://collector.example/v1/traces' }),
      set('policy.seal', {
        publicKeyFiles,
        ...(inFile('policy.seal') ? { keyFile } : { kms }),
        anchor: { revision: 3, chain },
      }),
      set('webIdentity', {
        issuer: 'https://identity.example.com',
        keys: {
          current: { kms },
          next: { kms: { ...kms, keyId: 'next' } },
          previous: { kms: { ...kms, keyId: 'previous' } },
        },
      }),
    );
  };

  function valueAt(config: Config, path: string): unknown {
    return path
      .split('.')
      .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], config);
  }

  /** Values to try, of which at least one is legal and not what is there already. */
  function candidates({ type }: Setting, current: unknown): readonly (string | number | boolean)[] {
    if (type === 'boolean') return [current !== true];
    if (type === 'integer' || type === 'number') {
      // One without a default is taken for an hour.
      const near = Number(current ?? 3_600);
      return [near + 1, near - 1];
    }
    if (type === 'string') {
      return [
        changedPool,
        'eu-west-1',
        'https://changed.example',
        'changed',
        '/changed',
        'c/',
        '444455556666',
        `${'B'.repeat(43)}=`,
      ];
    }
    return type.split(' \\| ');
  }

  it.each(overridable.map((setting) => [setting.env, setting] as const))(
    '%s overrides its setting, and only that',
    (env, setting) => {
      const change = sectionsWith(setting.path);
      const before = parse({ change });
      const current = valueAt(before, setting.path);
      const taken = candidates(setting, current).filter((value) => {
        if (value === current) return false;
        const input = { change, env: { [env]: String(value) } };
        if (faultsOf(() => parse(input)).length > 0) return false;
        const expected = structuredClone(before);
        set(setting.path, value)(expected);
        expect(parse(input)).toEqual(expected);
        return true;
      });
      expect(taken).not.toEqual([]);
    },
  );

  it('has a name of its own for every setting', () => {
    expect(new Set(overridable.map(({ env }) => env)).size).toBe(overridable.length);
    expect(overridable.length).toBeGreaterThan(40);
  });

  it('can give what the file leaves out', () => {
    const env = { TOKEN_BROKER_POLICY_TABLE: 'from-env', TOKEN_BROKER_AUDIT_STDOUT: 'true' };
    const change = all(set('policy', { region: 'us-east-1' }), set('audit', null));
    expect(parse({ change, env })).toMatchObject({
      policy: { table: 'from-env' },
      audit: { stdout: true },
    });
  });

  it('begins a section, which must then be complete', () => {
    const env = { TOKEN_BROKER_ADMIN_POOL: pool };
    expect(pathsOf({ env })).toEqual(['admin.clients', 'admin']);
  });

  it.each([
    'TOKEN_BROKER_',
    'TOKEN_BROKER_POLICY',
    'TOKEN_BROKER_POLICY_TABLES',
    'TOKEN_BROKER_policy_table',
    'TOKEN_BROKER_HTTP_ALLOWED_HOSTS',
    'TOKEN_BROKER_STS_ENDPOINTS_0_REGION',
    'TOKEN_BROKER_SERVICE_HOST',
  ])('is refused when it has the unknown variable %s', (name) => {
    expect(pathsOf({ env: { [name]: 'x' } })).toEqual([name]);
  });

  it('may have any variable of somebody else', () => {
    expect(pathsOf({ env: { PATH: '/bin', TOKEN_BROKERAGE: 'x', NODE_ENV: 'test' } })).toEqual([]);
  });

  it.each([
    ['TOKEN_BROKER_LISTENERS_API_PORT', '', 'listeners.api.port'],
    ['TOKEN_BROKER_LISTENERS_API_PORT', ' 8080', 'listeners.api.port'],
    ['TOKEN_BROKER_LISTENERS_API_PORT', '8e3', 'listeners.api.port'],
    ['TOKEN_BROKER_LISTENERS_API_PORT', '0x1f90', 'listeners.api.port'],
    ['TOKEN_BROKER_LISTENERS_API_PORT', '-1', 'listeners.api.port'],
    ['TOKEN_BROKER_LISTENERS_API_PORT', '80.5', 'listeners.api.port'],
    ['TOKEN_BROKER_AUDIT_STDOUT', '1', 'audit.stdout'],
    ['TOKEN_BROKER_AUDIT_STDOUT', 'yes', 'audit.stdout'],
    ['TOKEN_BROKER_AUDIT_STDOUT', 'TRUE', 'audit.stdout'],
    ['TOKEN_BROKER_PROFILE', 'Development', 'profile'],
    ['TOKEN_BROKER_POLICY_TABLE', '', 'policy.table'],
  ])('is refused when %s is %j', (name, value, path) => {
    expect(pathsOf({ env: { [name]: value } })).toEqual([path]);
  });
});

describe('the production profile', () => {
  const other = 'https://dynamodb.us-east-1.amazonaws.com';
  const origin = 'example.com/audit';
  const kms = { keyId: 'alias/audit', region: 'us-east-1' };
  const s3 = {
    bucket: 'evidence',
    bucketOwner: '111122223333',
    region: 'eu-west-1',
    retentionDays: 1,
  };
  const publicKeyFiles = ['/seal.pub'];
  const chain = `${'A'.repeat(43)}=`;
  const endpoints: readonly [string, (url: string) => Change][] = [
    ['policy.endpoint', (url) => set('policy.endpoint', url)],
    [
      'sts.endpoints.1.endpoint',
      (url) =>
        set('sts.endpoints', [{ region: 'us-east-1' }, { region: 'eu-west-1', endpoint: url }]),
    ],
    [
      'audit.checkpoints.kms.endpoint',
      (url) => set('audit.checkpoints', { origin, kms: { ...kms, endpoint: url } }),
    ],
    [
      'audit.checkpoints.s3.endpoint',
      (url) => set('audit.checkpoints', { origin, kms, s3: { ...s3, endpoint: url } }),
    ],
    [
      'policy.seal.kms.endpoint',
      (url) => set('policy.seal', { publicKeyFiles, kms: { ...kms, endpoint: url } }),
    ],
  ];

  it.each<[string, object, readonly string[]]>([
    ['takes one of KMS', { kms }, []],
    ['refuses one in a file', { keyFile: '/key.pem' }, ['audit.checkpoints.keyFile']],
    ['asks for one', {}, ['audit.checkpoints']],
    [
      'refuses two',
      { kms, keyFile: '/key.pem' },
      ['audit.checkpoints', 'audit.checkpoints.keyFile'],
    ],
  ])('%s as a key for checkpoints (T101)', (_case, key, faults) => {
    expect(pathsOf({ change: set('audit.checkpoints', { origin, ...key }) })).toEqual(faults);
  });

  it.each<[string, object, readonly string[]]>([
    ['takes one', {}, []],
    ['takes none without an owner', { bucketOwner: undefined }, ['bucketOwner']],
    ['takes no ARN', { bucket: 'arn:aws:s3:us-east-1:1:accesspoint/a' }, ['bucket']],
    ['takes no prefix that runs into the name', { prefix: 'a' }, ['prefix']],
    ['keeps nothing for no time', { retentionDays: 0 }, ['retentionDays']],
  ])('%s, of buckets for checkpoints (T119)', (_case, change, faults) => {
    const bucket = { ...s3, ...change };
    expect(pathsOf({ change: set('audit.checkpoints', { origin, kms, s3: bucket }) })).toEqual(
      faults.map((name) => `audit.checkpoints.s3.${name}`),
    );
  });

  it.each<[string, object, readonly string[]]>([
    ['seals the change log with one of KMS', { kms }, []],
    ['verifies alone without one', {}, []],
    ['never seals the change log with a file', { keyFile: '/key.pem' }, ['policy.seal.keyFile']],
    ['takes one', { kms, keyFile: '/key.pem' }, ['policy.seal', 'policy.seal.keyFile']],
    ['has a public one', { publicKeyFiles: [] }, ['policy.seal.publicKeyFiles']],
  ])('%s, of keys that seal (T112)', (_case, key, faults) => {
    expect(pathsOf({ change: set('policy.seal', { publicKeyFiles, ...key }) })).toEqual(faults);
  });

  it.each<[string, object, string[]]>([
    ['a whole one', { anchor: { revision: 3, chain } }, []],
    ['half of one', { anchor: { revision: 3 } }, ['policy.seal.anchor.chain']],
    ['one at nothing', { anchor: { revision: 0, chain } }, ['policy.seal.anchor.revision']],
    [
      'a digest cut off',
      { anchor: { revision: 3, chain: chain.slice(1) } },
      ['policy.seal.anchor.chain'],
    ],
    [
      'a revision alone, from which seals would begin',
      { fromRevision: 4 },
      ['policy.seal.fromRevision'],
    ],
  ])('takes an anchor of seals whole or not at all: %s (T325)', (_case, fields, faults) => {
    expect(pathsOf({ change: set('policy.seal', { publicKeyFiles, ...fields }) })).toEqual(faults);
  });

  it('refuses checkpoints of standard output, and an origin that notes cannot have', () => {
    const change = set('audit', { stdout: true, checkpoints: { origin, kms } });
    expect(pathsOf({ change })).toEqual(['audit.checkpoints']);
    for (const name of ['two words', 'a+b', '/a', 'a//b', 'a\n']) {
      const named = set('audit.checkpoints', { origin: name, kms });
      expect(pathsOf({ change: named })).toEqual(['audit.checkpoints.origin']);
    }
  });

  it.each(endpoints)(
    'refuses plaintext, loopback and addresses for %s (T34, T42)',
    (path, change) => {
      expect(pathsOf({ change: change(other) })).toEqual([]);
      for (const url of [
        'http://dynamodb.us-east-1.amazonaws.com',
        'https://localhost',
        'https://LOCALHOST:8443',
        'https://localhost.',
        'https://broker.localhost',
        'https://127.0.0.1:8443',
        'https://127.1',
        'https://2130706433',
        'https://0x7f.1',
        'https://10.0.0.1',
        'https://169.254.169.254',
        'https://192.0.2.1.',
        'https://[::1]',
        'https://[::ffff:127.0.0.1]',
        'https://[2001:db8::1]:443',
      ]) {
        expect([url, ...pathsOf({ change: change(url) })]).toEqual([url, path]);
      }
    },
  );

  const userPoolAt = (change: object, id = pool) =>
    set('identity.userPools', [{ pool: id, issuer, clients: ['a'], ...change }]);
  const identityPoolAt = (change: object, id = identityPoolId) =>
    set('identity.identityPools', [{ pool: id, ...change }]);
  const cognito = (region: string, suffix = 'amazonaws.com') => `cognito-idp.${region}.${suffix}`;

  it.each([
    ['of another pool', `https://${cognito('us-east-1')}/us-east-1_Other`],
    ['of a pool whose id begins alike', `${issuer}4`],
    ['of another region', `https://${cognito('eu-west-1')}/${pool}`],
    ['of another partition', `https://${cognito('us-east-1', 'amazonaws.com.cn')}/${pool}`],
    ['of another host', `https://cognito-idp.us-east-1.amazonaws.com.evil.example/${pool}`],
    ['of another host of AWS', `https://bucket.s3.amazonaws.com/${pool}`],
    ['without a pool', `https://${cognito('us-east-1')}`],
    ['with a port', `https://${cognito('us-east-1')}:443/${pool}`],
    ['in other letters', issuer.toUpperCase().replace('HTTPS', 'https')],
    ['in clear text', issuer.replace('https', 'http')],
    ['on this host', `https://localhost/${pool}`],
    ['at an address', `https://127.0.0.1/${pool}`],
    ['of identity pools', 'https://cognito-identity.amazonaws.com'],
  ])('refuses an issuer of a user pool that is %s (T47, T88)', (_case, url) => {
    const change = userPoolAt({ issuer: url });
    expect(pathsOf({ change })).toEqual(['identity.userPools.0.issuer']);
    expect(pathsOf({ change: all(change, set('profile', 'development')) })).toEqual([]);
  });

  it.each([
    ['another host', `https://keys.example/${pool}/.well-known/jwks.json`],
    ['another pool', `${issuer.replace('AbCdEf123', 'Other')}/.well-known/jwks.json`],
    ['another path', `${issuer}/jwks.json`],
    ['the other form of issuer', `${issuer.replace('//', '//issuer-')}/.well-known/jwks.json`],
    ['clear text', `${issuer.replace('https', 'http')}/.well-known/jwks.json`],
    ['this host', 'https://127.0.0.1:9000/jwks.json'],
  ])('refuses a key set of %s (T42, T88)', (_case, jwksUri) => {
    const change = userPoolAt({ jwksUri });
    expect(pathsOf({ change })).toEqual(['identity.userPools.0.jwksUri']);
    expect(pathsOf({ change: all(change, set('profile', 'development')) })).toEqual([]);
    expect(pathsOf({ change: identityPoolAt({ jwksUri }) })).toEqual([
      'identity.identityPools.0.jwksUri',
    ]);
  });

  it.each([
    ['a user pool', `https://issuer-${cognito('us-east-1')}/${identityPoolId}`],
    ['another region', 'https://cognito-identity.eu-west-1.amazonaws.com'],
    ['this host', 'http://localhost:9000'],
  ])('refuses an issuer of %s for an identity pool (T47, T88)', (_case, url) => {
    const change = identityPoolAt({ issuer: url });
    expect(pathsOf({ change })).toEqual(['identity.identityPools.0.issuer']);
  });

  it('refuses one kind of pool under the other (T88)', () => {
    const swapped = all(userPoolAt({}, identityPoolId), identityPoolAt({}, pool));
    expect(pathsOf({ change: swapped })).toEqual([
      'identity.userPools.0.pool',
      'identity.identityPools.0.pool',
    ]);
  });

  it.each([
    ['us-east-1', 'amazonaws.com', 'https://cognito-identity.amazonaws.com'],
    ['us-gov-west-1', 'amazonaws.com', 'https://cognito-identity-us-gov.amazonaws.com'],
    ['cn-north-1', 'amazonaws.com.cn', 'https://cognito-identity.cn-north-1.amazonaws.com.cn'],
    ['eusc-de-east-1', 'amazonaws.eu', 'https://cognito-identity.eusc-de-east-1.amazonaws.eu'],
  ])('takes the pools of %s under the issuers that they have there', (region, suffix, identity) => {
    const id = `${region}_AbCdEf123`;
    for (const form of ['', 'issuer-']) {
      const url = `https://${form}${cognito(region, suffix)}/${id}`;
      const jwksUri = `${url}/.well-known/jwks.json`;
      expect(pathsOf({ change: userPoolAt({ issuer: url, jwksUri }, id) })).toEqual([]);
    }
    const identityPool = identityPoolId.replace('us-east-1', region);
    const jwksUri = `${identity}/.well-known/jwks_uri`;
    const change = identityPoolAt({ issuer: identity, jwksUri }, identityPool);
    expect(pathsOf({ change })).toEqual([]);
  });

  it('names both faults of a plaintext loopback endpoint', () => {
    expect(pathsOf({ change: set('policy.endpoint', 'http://127.0.0.1:8000') })).toEqual([
      'policy.endpoint',
      'policy.endpoint',
    ]);
  });

  it.each(['api', 'admin'])(
    'refuses plain HTTP beyond this host for the %s listener (T35)',
    (name) => {
      const host = set(`listeners.${name}.host`, '0.0.0.0');
      const tls = { certFile: '/tls/cert.pem', keyFile: '/tls/key.pem' };
      expect(pathsOf({ change: host })).toEqual([`listeners.${name}`]);
      expect(pathsOf({ change: set(`listeners.${name}.host`, '::') })).toEqual([
        `listeners.${name}`,
      ]);
      expect(pathsOf({ change: all(host, set(`listeners.${name}.tls`, tls)) })).toEqual([]);
      const upstream = set(`listeners.${name}.tlsTerminatedUpstream`, true);
      expect(pathsOf({ change: all(host, upstream) })).toEqual([]);
    },
  );

  it('lets probes and metrics speak plain HTTP', () => {
    expect(pathsOf({ change: set('listeners.ops.host', '0.0.0.0') })).toEqual([]);
  });

  const dangers: readonly (readonly [string, Partial<RuntimeFacts>])[] = [
    ['an inspector in NODE_OPTIONS', { nodeOptions: '--max-old-space-size=512 --inspect=0.0.0.0' }],
    ['an inspector that breaks', { nodeOptions: '--inspect-brk' }],
    ['an inspector spelled with an underscore', { nodeOptions: '--inspect_brk' }],
    ['an inspector on the command line', { execArgv: ['--inspect'] }],
    ['a lenient HTTP parser', { nodeOptions: '--insecure-http-parser' }],
    ['a lenient HTTP parser with underscores', { execArgv: ['--insecure_http_parser'] }],
    ['heap snapshots on a signal', { nodeOptions: '--heapsnapshot-signal=SIGUSR2' }],
    ['heap snapshots near the heap limit', { nodeOptions: '--heapsnapshot-near-heap-limit=1' }],
    ['reports of the environment on a signal', { nodeOptions: '--report-on-signal' }],
    ['core files of exceptions', { execArgv: ['--abort-on-uncaught-exception'] }],
    ['the keys of TLS sessions in a file', { nodeOptions: '--tls-keylog=/tmp/keys' }],
    ['an inspector that is open already', { inspected: true }],
    ['requests in the log of Node itself', { nodeDebug: 'http' }],
    ['certificate checks switched off', { tlsRejectUnauthorized: '0' }],
    ['proxies of the environment for half of what leaves', { useEnvProxy: '1' }],
    ['the same by an option', { nodeOptions: '--use-env-proxy' }],
    ['the same by an option with underscores', { execArgv: ['--use_env_proxy'] }],
    ['root', { userId: 0 }],
  ];

  it.each(dangers)('refuses to run with %s (T33, T34, T36, T48, T229)', (_case, runtime) => {
    expect(faultsOf(() => parse({ runtime }))).toHaveLength(1);
    expect(faultsOf(() => parse({ runtime, change: set('profile', 'development') }))).toEqual([]);
  });

  it('runs with harmless options, and where there are no user ids', () => {
    const runtime = { nodeOptions: '--max-old-space-size=512', execArgv: ['--enable-source-maps'] };
    expect(faultsOf(() => parse({ runtime: { ...runtime, userId: undefined } }))).toEqual([]);
    expect(faultsOf(() => parse({ runtime: { tlsRejectUnauthorized: '1' } }))).toEqual([]);
  });

  it('names all that it refuses at once', () => {
    const change = all(
      set('listeners.api.host', '0.0.0.0'),
      set('policy.endpoint', 'http://table.example'),
    );
    const runtime = { nodeOptions: '--inspect', tlsRejectUnauthorized: '0', userId: 0 };
    expect(faultsOf(() => parse({ change, runtime }))).toHaveLength(5);
  });
});

describe('the development profile', () => {
  const development = set('profile', 'development');

  it.each(['api', 'admin', 'ops'])('refuses to listen beyond loopback on %s (T47)', (name) => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com', 'localhost.example.com', '']) {
      const change = all(development, set(`listeners.${name}.host`, host));
      expect([host, ...pathsOf({ change })]).toEqual([host, `listeners.${name}.host`]);
    }
    for (const host of ['127.0.0.1', '127.0.0.53', '::1', 'localhost']) {
      const change = all(development, set(`listeners.${name}.host`, host));
      expect([host, ...pathsOf({ change })]).toEqual([host]);
    }
  });

  it('refuses it even with TLS', () => {
    const tls = { certFile: '/tls/cert.pem', keyFile: '/tls/key.pem' };
    const change = all(development, set('listeners.api', { host: '0.0.0.0', tls }));
    expect(pathsOf({ change })).toEqual(['listeners.api.host']);
  });

  it('may use plaintext endpoints on loopback', () => {
    const change = all(
      development,
      set('policy.endpoint', 'http://127.0.0.1:8000'),
      set('identity.userPools', [
        { pool, issuer: `http://127.0.0.1:9000/${pool}`, clients: ['a'] },
      ]),
    );
    expect(pathsOf({ change })).toEqual([]);
  });
});

describe('a configuration file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-config-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is read from disk', () => {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, JSON.stringify(base()));
    expect(loadConfig(file, { env: {}, rules: [] })).toEqual(parse());
  });

  it('in which each line is a fault names a thousand, and how many there are (T341)', () => {
    const lines = Array.from({ length: 200_000 }, (_, index) => `k${index}: 1\n`);
    const faults = faultsOf(() => parseText(`profile: development\n${lines.join('')}`));
    expect(faults).toHaveLength(1_001);
    expect(faults).toContain(
      'config.yaml:2:1: k0: is no setting: docs/configuration.md lists those there are',
    );
    expect(faults).toContainEqual(
      expect.stringMatching(/^config\.yaml: has 199\d{3} more faults$/),
    );
  });

  it('that cannot be read is one fault that says so', () => {
    const file = join(folder, 'missing.yaml');
    expect(faultsOf(() => loadConfig(file, { env: {}, rules: [] }))).toEqual([
      `${file}: cannot be read (ENOENT)`,
    ]);
    const pipe = join(folder, 'pipe.yaml');
    makePipe(pipe);
    for (const path of [folder, pipe]) {
      expect(faultsOf(() => loadConfig(path, { env: {}, rules: [] }))).toEqual([
        `${path}: is not a regular file: remove what is there, or name another file.`,
      ]);
    }
  });
});
