/** Trust policies that let somebody in whom no mapping of the role is for: none of them passes. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { localAccount } from '../../emulators/seed.ts';
import type { CheckedFinding } from '../../src/doctor/examine.ts';
import { type DoctorWorld, startDoctorWorld } from './doctor-world.ts';

let world: DoctorWorld;
beforeAll(async () => {
  world = await startDoctorWorld();
});
afterAll(() => world.stop());
beforeEach(() => world.reset());

type Statement = Record<string, unknown>;
type Role = 'orders' | 'ledger';

const assume = 'sts:AssumeRoleWithWebIdentity';
const arnOf = (issuer: string) =>
  `arn:aws:iam::${localAccount}:oidc-provider/${issuer.replace('http://', '')}`;

function statementsOf(role: Role): Statement[] {
  const found = world.stack.sts.roles.find(({ arn }) => arn === world.roles[role]);
  const { Statement } = Object(found?.trustPolicy) as { Statement: Statement[] };
  return structuredClone(Statement);
}

function trust(role: Role, statements: readonly Statement[]) {
  const trustPolicy = { Version: '2012-10-17', Statement: statements };
  world.stack.sts.putRole({ arn: world.roles[role], trustPolicy });
}

const add = (role: Role, ...more: readonly Statement[]) =>
  trust(role, [...statementsOf(role), ...more]);

/** Lets in tokens of a provider. */
const letting = (issuer: string, Condition?: object): Statement => ({
  Effect: 'Allow',
  Principal: { Federated: arnOf(issuer) },
  Action: assume,
  ...(Condition === undefined ? {} : { Condition }),
});

const everybody = (Condition: object): Statement => ({
  Effect: 'Allow',
  Principal: { AWS: '*' },
  Action: 'sts:AssumeRole',
  Condition,
});

async function closedness(role: Role): Promise<CheckedFinding> {
  const { findings } = await world.report('--role', world.roles[role]);
  const [found] = findings.filter(({ check }) => check === 'trust-policy-open');
  if (found === undefined) throw new Error('the check found nothing');
  return found;
}

/** Keys of the callers' pool. */
const pool = (key: string) => `${world.stack.issuer.url.replace('http://', '')}:${key}`;
const broker = (key: string) => `${world.host.url.replace('http://', '')}:${key}`;

const fails: readonly [what: string, role: Role, make: () => void, says: RegExp][] = [
  [
    'another app client by its name',
    'orders',
    () =>
      add(
        'orders',
        letting(world.stack.issuer.url, {
          StringEquals: { [pool('aud')]: 'another-client', [pool('sub')]: world.ordersClient },
        }),
      ),
    /other app clients .*another-client/,
  ],
  [
    'another app client with its own subject',
    'orders',
    () =>
      add(
        'orders',
        letting(world.stack.issuer.url, {
          StringEquals: { [pool('aud')]: 'another-client', [pool('sub')]: 'another-client' },
        }),
      ),
    /other app clients .*another-client/,
  ],
  [
    'another subject by its name',
    'orders',
    () =>
      add(
        'orders',
        letting(world.stack.issuer.url, {
          StringEquals: { [pool('aud')]: world.ordersClient, [pool('sub')]: 'somebody-else' },
        }),
      ),
    /other subjects .*somebody-else/,
  ],
  [
    'whoever has one text in two claims',
    'orders',
    () =>
      add(
        'orders',
        letting(world.stack.issuer.url, {
          StringEquals: { [pool('sub')]: `\${${pool('aud')}}` },
        }),
      ),
    /other app clients/,
  ],
  [
    'tokens for another app client whose list of audiences has ours',
    'orders',
    () =>
      add(
        'orders',
        letting(world.stack.issuer.url, {
          StringEquals: { [pool('oaud')]: world.ordersClient, [pool('sub')]: world.ordersClient },
        }),
      ),
    /other app clients/,
  ],
  [
    "callers' own tokens past the broker that issues them",
    'ledger',
    () =>
      add(
        'ledger',
        letting(world.stack.issuer.url, { StringEquals: { [pool('aud')]: 'ledger-client' } }),
      ),
    /tokens of .*, which no mapping of this role exchanges/,
  ],
  [
    'tokens of the broker where the caller shows its own',
    'orders',
    () =>
      add(
        'orders',
        letting(world.host.url, { StringEquals: { [broker('aud')]: 'sts.amazonaws.com' } }),
      ),
    /tokens of .*, which no mapping of this role exchanges/,
  ],
  [
    'anybody with a token of a public issuer',
    'ledger',
    () =>
      add(
        'ledger',
        letting('http://token.actions.githubusercontent.com', {
          StringEquals: { 'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com' },
        }),
      ),
    /anybody with a token of .*githubusercontent/,
  ],
  [
    'anybody with a token of a provider that IAM knows by a short name',
    'ledger',
    () => add('ledger', { ...letting('x'), Principal: { Federated: 'accounts.google.com' } }),
    /anybody with a token of accounts\.google\.com/,
  ],
  [
    'everybody whose principal has any name',
    'orders',
    () => add('orders', everybody({ StringLike: { 'aws:PrincipalArn': '*' } })),
    /statement 2 is for Principal "\*", and lets in/,
  ],
  [
    'a role of that name in any account',
    'orders',
    () => add('orders', everybody({ ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:role/x' } })),
    /statement 2 is for Principal "\*", and lets in/,
  ],
  [
    'everybody in any organization',
    'orders',
    () => add('orders', everybody({ StringLike: { 'aws:PrincipalOrgID': 'o-*' } })),
    /statement 2 is for Principal "\*", and lets in/,
  ],
  [
    'everybody but one',
    'orders',
    () => add('orders', everybody({ StringNotEquals: { 'aws:PrincipalAccount': '1' } })),
    /statement 2 is for Principal "\*", and lets in/,
  ],
  [
    'tokens without the role, by a Null in other letters',
    'ledger',
    () =>
      add(
        'ledger',
        letting(world.host.url, {
          StringEquals: { [broker('aud')]: 'sts.amazonaws.com' },
          Null: { 'sts:RoleAuthorizedByIdp': 'True' },
        }),
      ),
    /do not name this role/,
  ],
];

const unknowns: readonly [what: string, role: Role, make: () => void][] = [
  [
    'everybody over TLS',
    'orders',
    () => add('orders', everybody({ Bool: { 'aws:SecureTransport': 'true' } })),
  ],
  [
    'everybody who knows a word',
    'orders',
    () => add('orders', everybody({ StringEquals: { 'sts:ExternalId': 'word' } })),
  ],
  [
    'everybody, by a key that only looks like the one that is tested',
    'ledger',
    () =>
      trust('ledger', [
        letting(world.host.url, {
          StringEquals: { [broker('aud')]: 'sts.amazonaws.com' },
          'ForAllValues:StringEquals': { 'aws:Tag\u212Aeys': 'team' },
        }),
      ]),
  ],
  [
    'whoever says a word in a header',
    'ledger',
    () => add('ledger', letting(world.host.url, { StringEquals: { 'aws:referer': 'word' } })),
  ],
  [
    'whoever asks by no other service',
    'ledger',
    () => add('ledger', letting(world.host.url, { Bool: { 'aws:ViaAWSService': 'false' } })),
  ],
];

describe('a trust policy that lets in', () => {
  it.each(fails)(
    '%s fails, and following the cure closes it (T364)',
    async (_, role, make, says) => {
      make();
      const found = await closedness(role);
      expect(found).toMatchObject({ status: 'fail', detail: expect.stringMatching(says) });
      expect(await world.follow(found.cure ?? [])).toBe(1);
      expect(await closedness(role)).toMatchObject({ status: 'pass' });
    },
  );

  it.each(unknowns)('%s is no pass (T364)', async (_, role, make) => {
    make();
    expect(await closedness(role)).toMatchObject({ status: 'unknown' });
  });
});

describe('a trust policy of very many audiences and subjects', () => {
  it('is no pass, and takes no minutes (T364)', async () => {
    const many = (what: string) => Array.from({ length: 300 }, (_, index) => `${what}${index}`);
    const StringEquals = { [pool('aud')]: many('a'), [pool('sub')]: many('s') };
    const never = { 'sts:RoleAuthorizedByIdp': 'true' };
    add('orders', letting(world.stack.issuer.url, { StringEquals, Bool: never }));
    expect(await closedness('orders')).toMatchObject({
      status: 'unknown',
      detail: expect.stringContaining('more audiences and subjects than are tried'),
    });
  });
});

describe('the cure for a Deny that refuses the mappings', () => {
  const Action = 'sts:AssumeRole*';
  const MultiFactorAuthPresent = 'aws:MultiFactorAuthPresent';
  const Condition = { BoolIfExists: { [MultiFactorAuthPresent]: 'false' } };

  async function cured(): Promise<Statement[]> {
    const { findings } = await world.report('--role', world.roles.orders);
    const [found] = findings.filter(({ check }) => check === 'trust-policy');
    expect(found).toMatchObject({ status: 'fail', detail: expect.stringMatching(/is denied by/) });
    expect(found?.cure?.join()).toMatch(/lifts a Deny .* statement Mfa/);
    await world.follow(found?.cure ?? []);
    const after = await world.report('--role', world.roles.orders);
    expect(
      after.findings.filter(({ check, status }) => /^trust/.test(check) && status !== 'pass'),
    ).toEqual([]);
    return statementsOf('orders').filter(({ Effect }) => Effect === 'Deny');
  }

  it('leaves it in force for everybody else (T365)', async () => {
    add(
      'orders',
      {
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::999999999999:root' },
        Action: 'sts:AssumeRole',
      },
      { Sid: 'Mfa', Effect: 'Deny', Principal: '*', Action, Condition },
    );
    expect(await cured()).toEqual([
      {
        Sid: 'Mfa',
        Effect: 'Deny',
        Principal: '*',
        Action,
        Condition: {
          ...Condition,
          StringNotEquals: { 'aws:FederatedProvider': [arnOf(world.stack.issuer.url)] },
        },
      },
    ]);
  });

  it('adds to whom it spares already', async () => {
    const StringNotEquals = { 'aws:federatedprovider': 'x', 'aws:PrincipalArn': 'y' };
    add('orders', {
      Sid: 'Mfa',
      Effect: 'Deny',
      Principal: '*',
      Action,
      Condition: { StringNotEquals },
    });
    expect(await cured()).toMatchObject([
      {
        Condition: {
          StringNotEquals: {
            'aws:PrincipalArn': 'y',
            'aws:FederatedProvider': ['x', arnOf(world.stack.issuer.url)],
          },
        },
      },
    ]);
  });

  it('leaves it in force for other providers (T365)', async () => {
    const Principal = { Federated: [arnOf(world.stack.issuer.url), arnOf('x.example')] };
    add('orders', { Sid: 'Mfa', Effect: 'Deny', Principal, Action });
    expect(await cured()).toMatchObject([{ Principal: { Federated: [arnOf('x.example')] } }]);
  });
});
