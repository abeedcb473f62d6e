/** `token-broker doctor` in front of the local stack: what it says where all is well, and where it cannot look. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { localAccount } from '../../emulators/seed.ts';
import { type CheckId, checkIds, checks } from '../../src/doctor/checks.ts';
import { bad, type DoctorWorld, startDoctorWorld } from './doctor-world.ts';
import { faults } from './faults.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await startDoctorWorld();
});
afterAll(() => world.stop());
beforeEach(() => world.reset());

describe('an account as it should be', () => {
  it('passes every check that there is, and exits with 0', async () => {
    const { findings, counts, code } = await world.report('--role', world.roles.orders, '--try');
    expect(bad(findings)).toEqual([]);
    expect(counts).toEqual({ pass: findings.length, fail: 0, unknown: 0 });
    expect(code).toBe(0);
    // Of this role the mapping needs no key of KMS, but the configuration names them.
    expect(new Set(findings.map(({ check }) => check))).toEqual(new Set(checkIds));
  });

  it('asks each place once, however many checks want to know', async () => {
    const before = world.stack.sts.requests.length;
    world.token = undefined;
    const { findings } = await world.report('--role', world.roles.ledger);
    expect(bad(findings)).toEqual([]);
    expect(world.host.asked).toEqual([
      '/.well-known/openid-configuration',
      '/.well-known/jwks.json',
    ]);
    const greetings = world.stack.sts.requests
      .slice(before)
      .filter(({ action, code }) => action === 'GetCallerIdentity' && code !== 'ok');
    expect(greetings).toHaveLength(1);
  });

  it('says so of every role when none is named', async () => {
    const { findings, code } = await world.report();
    expect(bad(findings)).toEqual([]);
    expect(code).toBe(0);
    expect(findings.map(({ subject }) => subject)).toEqual(
      expect.arrayContaining([world.roles.orders, world.roles.ledger]),
    );
  });
});

describe('a sample token of a caller for whom the broker issues the token', () => {
  it('is not held to what STS takes, which is never shown it', async () => {
    const { clientId = '' } = world.stack.clients.find(({ name }) => name === 'ledger') ?? {};
    world.token = world.stack.issuer.issueAccessToken({ clientId });
    const { findings, code } = await world.report('--role', world.roles.ledger);
    expect(bad(findings)).toEqual([]);
    expect(code).toBe(0);
    expect(findings.filter(({ subject }) => subject === 'the sample token')).toMatchObject([
      { check: 'token', detail: expect.stringContaining('is not what STS is shown') },
    ]);
  });
});

describe('the tables', () => {
  it('have a fault for each check, which faults.long.test.ts makes', () => {
    expect(new Set(Object.keys(faults))).toEqual(new Set(checkIds));
    for (const made of Object.values(faults)) expect(made.length).toBeGreaterThan(0);
  });
});

/** How each service is made to deny an action. */
function deny({ stack, tokenKey, logKey }: DoctorWorld, permission: string): void {
  const [service, action = ''] = permission.split(':');
  if (service === 'iam') stack.iam.deny([action]);
  if (service === 'cognito-idp') stack.issuer.describeAs({ error: 'AccessDeniedException' });
  if (service === 'dynamodb') {
    const type = 'AccessDeniedException';
    stack.dynamodb.setFault({ kind: 'error', type, status: 400, operations: [action] });
  }
  if (service === 'kms') {
    for (const key of [tokenKey, logKey]) key.behave({ error: 'AccessDeniedException' });
  }
}

const needed = checkIds.flatMap((id) =>
  checks[id].permissions.map((permission): [CheckId, string] => [id, permission]),
);
/** What no emulator denies by itself: it is asked of a key only after `kms:DescribeKey`. */
const followUps: readonly string[] = ['kms:GetKeyPolicy'];

/** Where nothing is missed: another check is about the same answer, and says that it did not come. */
const silent: readonly string[] = [
  // Asked only for what an absent provider may have been taken for; `provider` asks for the same list.
  'issuer iam:ListOpenIDConnectProviders',
  // Asked only for the ARNs that are simulated; `table` and `kms-key` are about these answers.
  ...['broker-permissions dynamodb:DescribeTable', 'broker-permissions kms:DescribeKey'],
];

describe('without a permission (T265)', () => {
  it.each(needed.filter(([, permission]) => !followUps.includes(permission)))(
    '%s does not pass without %s, and says so',
    async (check, permission) => {
      world.token = undefined;
      deny(world, permission);
      const { findings } = await world.report('--role', world.roles.orders);
      world.stack.dynamodb.setFault();
      const said = findings.filter((one) => one.missingPermission === permission);
      expect(said.length).toBeGreaterThan(0);
      const lacking = said.filter((one) => one.check === check);
      if (!silent.includes(`${check} ${permission}`)) expect(lacking.length).toBeGreaterThan(0);
      for (const one of lacking) expect(one.status).toBe('unknown');
    },
  );
});

describe('what it cannot see', () => {
  it('is unknown where the role is in another account, and says which', async () => {
    const arn = 'arn:aws:iam::210987654321:role/broker/orders-writer';
    world.mappings = world.mappings.map((mapping) => ({ ...mapping, role: arn }));
    const { findings, code } = await world.report('--role', arn);
    const mine = findings.filter(({ check }) => check === 'trust-policy' || check === 'provider');
    expect(mine.length).toBeGreaterThan(1);
    for (const { status, detail } of mine) {
      expect([status, detail]).toEqual([
        'unknown',
        expect.stringContaining('in account 210987654321, and your credentials are of account 123'),
      ]);
    }
    expect(code).toBe(2);
  });

  it('is unknown where a condition depends on what nobody knows beforehand', async () => {
    pin({ 'aws:SourceVpce': 'vpce-0a1b' });
    const [open] = await of('trust-policy');
    expect(open).toMatchObject({ status: 'unknown', detail: expect.stringContaining('vpce-0a1b') });
    const [right] = await of('trust-policy', '--source-vpce', 'vpce-0a1b');
    expect(right?.status).toBe('pass');
    const [wrong] = await of('trust-policy', '--source-vpce', 'vpce-other');
    expect(wrong).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('STS sees vpce-'),
    });
    // The pin stays where the policy is put in order.
    expect(wrong?.cure?.join('')).toContain('vpce-other');
  });

  it('is unknown where an e-mail address decides, whatever capitals the issuer has', async () => {
    world.token = undefined;
    world.mappings = world.mappings.map((mapping) => ({
      ...mapping,
      conditions: { ...mapping.conditions, caller: 'person' },
    }));
    const name = world.stack.issuer.url.replace('http://', '');
    expect(name).toMatch(/[A-Z]/);
    pin({ [`${name}:email`]: 'somebody@example.com' });
    const [open] = await of('trust-policy');
    expect(open).toMatchObject({ status: 'unknown', detail: expect.stringContaining(':email') });
  });

  it('is judged with the transitive tags of the sample token, in both of their forms', async () => {
    const { orders } = world.roles;
    const [role] = world.stack.sts.roles.filter(({ arn }) => arn === orders);
    const { Statement } = (role?.trustPolicy ?? { Statement: [] }) as {
      Statement: { Condition: object }[];
    };
    const tagged = Statement.map((one) => ({
      ...one,
      Action: ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession'],
      Condition: {
        ...one.Condition,
        'ForAllValues:StringEquals': { 'sts:TransitiveTagKeys': ['team'] },
      },
    }));
    world.stack.sts.putRole({ arn: orders, trustPolicy: { Statement: tagged } });
    const name = 'https://aws.amazon.com/tags';
    const flat = { [`${name}/principal_tags/team`]: 'a', [`${name}/principal_tags/site`]: 'b' };
    const said = async (claims: object) => {
      const clientId = world.ordersClient;
      world.token = world.stack.issuer.issueAccessToken({ clientId, claims: { ...claims } });
      return (await of('trust-policy')).map(({ status }) => status);
    };
    for (const [key, status] of [
      ['team', 'pass'],
      ['site', 'fail'],
    ] as const) {
      const nested = { principal_tags: { team: ['a'], site: ['b'] }, transitive_tag_keys: [key] };
      expect(await said({ [name]: nested })).toContain(status);
      expect(await said({ ...flat, [`${name}/transitive_tag_keys`]: [key] })).toContain(status);
    }
  });

  it('is unknown where it answers with what is no document (T266)', async () => {
    for (const body of ['', '<html/>', '<', `<a>${'x'.repeat(100_000)}</a>`]) {
      world.stack.iam.answerWith(body);
      const { findings } = await world.report('--role', world.roles.orders);
      const mine = findings.filter(({ check }) => check === 'trust-policy');
      expect(mine).toMatchObject([{ status: 'unknown' }]);
    }
  });

  /** More conditions of the statement for callers' own tokens. */
  function pin(more: object): void {
    const { orders } = world.roles;
    const [role] = world.stack.sts.roles.filter(({ arn }) => arn === orders);
    const { Statement } = (role?.trustPolicy ?? { Statement: [] }) as {
      Statement: { Condition: { StringEquals: object } }[];
    };
    const pinned = Statement.map((one) => ({
      ...one,
      Condition: { StringEquals: { ...one.Condition.StringEquals, ...more } },
    }));
    world.stack.sts.putRole({ arn: orders, trustPolicy: { Statement: pinned } });
  }

  async function of(check: CheckId, ...args: readonly string[]) {
    const { findings } = await world.report('--role', world.roles.orders, ...args);
    return findings.filter((one) => one.check === check);
  }
});

describe("the broker's own permissions", () => {
  const allow = { Effect: 'Allow', Action: ['dynamodb:*', 'kms:*'], Resource: '*' };
  const deny = { ...allow, Effect: 'Deny' };

  it.each([
    ['an allow and a deny of it', [allow, { ...deny, Action: 'kms:Sign' }], ['kms:Sign']],
    ['the deny first', [{ ...deny, Action: ['kms:S*'] }, allow], ['kms:Sign']],
    ['a deny alone', [{ ...deny, Action: 'kms:*' }], ['kms:GetPublicKey, kms:Sign']],
    ['a deny of another action', [allow, { ...deny, Action: 'kms:Decrypt' }], []],
    ['a deny on another resource', [allow, { ...deny, Resource: 'arn:aws:kms:*:*:alias/x' }], []],
  ])('with %s are those that nothing denies', async (_, Statement, lacking) => {
    world.stack.iam.putRolePolicy('token-broker', 'broker', { Statement });
    const { findings } = await world.report('--role', world.roles.orders);
    const ofKeys = findings.filter(
      ({ check, subject }) => check === 'broker-permissions' && subject.includes(' on key '),
    );
    expect(ofKeys).toHaveLength(2);
    const denied = ofKeys.map(({ detail }) => /^may not (.*?), by its/.exec(detail)?.[1]);
    expect(denied).toEqual(ofKeys.map(() => lacking[0]));
  });
});

const hostile = '\u001b[2J\u202eevil\u0007\u2028\u{e0001}';

describe('what it prints', () => {
  it.each(['table', 'json', 'yaml'])(
    'does nothing to a terminal, whatever a trust policy holds, as %s (T267)',
    async (format) => {
      const provider = `arn:aws:iam::123456789012:oidc-provider/${hostile}`;
      const trustPolicy = {
        Statement: [
          {
            Effect: 'Allow',
            Principal: { Federated: provider, AWS: hostile },
            Action: [hostile, 'sts:AssumeRole'],
            Condition: { [hostile]: { [hostile]: hostile, __proto__x: `'; rm -rf / #${hostile}` } },
          },
        ],
      };
      world.stack.sts.putRole({ arn: world.roles.orders, trustPolicy });
      const { out, err, code } = await world.run('-o', format, '--role', world.roles.orders);
      expect(code).toBe(1);
      expect(out).toContain('evil');
      expect(`${out}${err}`).toMatch(/^[\x20-\x7e\n]*$/);
    },
  );

  it('has nothing of the token in it, nor of the session that --try gets (T268)', async () => {
    const parts = (world.token ?? '').split('.');
    for (const format of ['table', 'json']) {
      const { out, err } = await world.run('-o', format, '--role', world.roles.orders, '--try');
      expect(out).toContain('exchange');
      for (const part of parts) expect(`${out}${err}`).not.toContain(part);
      expect(`${out}${err}`).not.toMatch(/ASIA/);
    }
  });

  it('has commands that a shell reads as they are meant, whatever they keep (T269)', async () => {
    const { orders } = world.roles;
    const odd = `'; touch /tmp/x; $(id) \`id\` "${String.fromCodePoint(0x202e)}\n--policy-document`;
    const others = {
      Effect: 'Allow',
      Principal: { Federated: 'arn:aws:iam::123456789012:oidc-provider/other.example' },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: { StringEquals: { 'other.example:aud': odd } },
    };
    world.stack.sts.putRole({ arn: orders, trustPolicy: { Statement: [others] } });
    const { out } = await world.run('--role', orders);
    const [command = ''] = out.match(/^ +aws iam update-assume-role-policy .*$/m) ?? [];
    expect(await world.follow([command.trim()])).toBe(1);
    const [role] = world.stack.sts.roles.filter(({ arn }) => arn === orders);
    expect(role?.trustPolicy).toMatchObject({ Statement: [others, { Sid: 'CallersOfPool1' }] });
    expect((await world.report('--role', orders)).code).toBe(0);
  });
});

describe('a cure for the sake of app clients whose names whoever writes mappings has chosen', () => {
  async function commandsFor(check: CheckId, ...clients: readonly string[]) {
    world.stack.sts.removeProvider(localAccount, world.stack.issuer.url);
    if (check === 'audiences') {
      const { url: issuer, jwksUri } = world.stack.issuer;
      world.stack.sts.putProvider({ accountId: localAccount, issuer, jwksUri, clientIds: ['x'] });
    }
    world.mappings = world.mappings.flatMap((mapping) =>
      mapping.role === world.roles.orders
        ? clients.map((client, index) => ({
            ...mapping,
            id: `orders-${index}`,
            principal: { pool: mapping.principal.pool, client },
          }))
        : [],
    );
    const { findings } = await world.report('--role', world.roles.orders);
    const [found] = findings.filter((one) => one.check === check);
    return found?.cure ?? [];
  }

  it('has no options but its own (T371)', async () => {
    const names = ['a', '--endpoint-url=http://127.0.0.1:1', '--url', 'https://x.example'];
    const cure = await commandsFor('provider', ...names);
    expect(cure.join('\n')).toMatch(/--client-id-list '\[/);
    expect(await world.follow(cure)).toBe(1);
    const made = world.stack.sts.providers.find(({ issuer }) => issuer === world.stack.issuer.url);
    expect(made?.clientIds).toEqual(names);
  });

  it.each(['file:///etc/passwd', 'fileb://x', 'http://x.example/id', 'FILE://x', '--debug'])(
    'is none by which the AWS CLI would read %s (T371)',
    async (name) => {
      const cure = await commandsFor('audiences', name);
      expect(cure).toEqual([expect.stringMatching(/^No command does it: .* would read /)]);
    },
  );
});

describe('a command line that cannot be', () => {
  it.each([
    [['--role', 'orders'], 'is not the ARN of one IAM role'],
    [['--broker-role', 'x'], 'is not the ARN of one IAM role'],
    [['--try'], '--token-file'],
    [['--iam-endpoint', 'http://iam.example.com'], 'https'],
    [['-o', 'xml'], 'Allowed choices'],
  ])('%j is wrong usage, and prints no result', async (args, says) => {
    world.token = undefined;
    const { code, out, err } = await world.run(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(says);
  });

  it('a file that holds no token is named, and nothing of it is printed', async () => {
    world.token = 'secret.secret.secret';
    const { code, out, err } = await world.run();
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('must hold one JWT');
    expect(err).not.toContain('secret');
  });
});
