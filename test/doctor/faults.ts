/** Every fault that the doctor is to name: how it is made, by which check it is named, and how its cure is followed. */

import { localAccount } from '../../emulators/seed.ts';
import type { CheckId } from '../../src/doctor/checks.ts';
import { type DoctorWorld, ordersPolicy } from './doctor-world.ts';

export interface Fault {
  readonly make: (world: DoctorWorld) => void | Promise<void>;
  /** What the finding must say. */
  readonly names: RegExp;
  /** Default `fail`. */
  readonly status?: 'fail' | 'unknown';
  readonly args?: readonly string[];
  /** What the words of the cure ask for, which no command can do. Default: the commands of the cure are run, and must do. */
  readonly words?: { readonly say: RegExp; readonly mend: (world: DoctorWorld) => void };
}

type Statement = Record<string, unknown>;

/** The trust policy of a role, rewritten. */
function trust(role: 'orders' | 'ledger', change: (statements: Statement[]) => unknown[]) {
  return ({ stack, roles }: DoctorWorld) => {
    const arn = roles[role];
    const found = stack.sts.roles.find((one) => one.arn === arn);
    const { Statement: now = [] } = (found?.trustPolicy ?? {}) as { Statement?: Statement[] };
    const copy = structuredClone(now);
    stack.sts.putRole({ arn, trustPolicy: { Version: '2012-10-17', Statement: change(copy) } });
  };
}

const without = (sid: string) => (statements: Statement[]) =>
  statements.filter(({ Sid }) => Sid !== sid);

const first = (change: (statement: Statement) => Statement) => (statements: Statement[]) =>
  statements.map((statement, index) => (index === 0 ? change(statement) : statement));

/** Every statement that lets the caller's own token in, with other conditions. */
const conditions = (change: (name: string, world: DoctorWorld) => object) => (world: DoctorWorld) =>
  trust(
    'orders',
    first((statement) => ({
      ...statement,
      Condition: change(world.stack.issuer.url.replace('http://', ''), world),
    })),
  )(world);

const provider = (world: DoctorWorld, changes: object) => {
  const { sts, issuer } = world.stack;
  sts.removeProvider(localAccount, issuer.url);
  const clientIds = [world.ordersClient];
  const { jwksUri, url } = issuer;
  sts.putProvider({ accountId: localAccount, issuer: url, jwksUri, clientIds, ...changes });
};

const tryingOrders = ['--try', '--role', `arn:aws:iam::${localAccount}:role/broker/orders-writer`];

const newToken = {
  say: /new token/i,
  mend: (world: DoctorWorld) => {
    world.token = world.newToken();
  },
};

const answering = ({ host }: DoctorWorld) => {
  host.answer = undefined;
};

/** One document that is discovery and key set of the issuer of the broker's tokens. */
const publishing =
  (keys: readonly object[]) =>
  ({ host }: DoctorWorld) => {
    const jwks_uri = `${host.url}/.well-known/jwks.json`;
    const body = JSON.stringify({ issuer: host.url, jwks_uri, keys });
    host.answer = { status: 200, body };
  };

const settings = (say: RegExp, mend: (config: DoctorWorld['config']) => void) => ({
  say,
  mend: (world: DoctorWorld) => mend(world.config),
});

/** A token of the orders client with other claims, signed by nobody: the doctor verifies no signature. */
function unsigned(changes: object, header: object = {}) {
  return (world: DoctorWorld) => {
    const [head = '', body = '', signature] = world.newToken().split('.');
    const part = (text: string, more: object) => {
      const claims = { ...JSON.parse(Buffer.from(text, 'base64url').toString()), ...more };
      return Buffer.from(JSON.stringify(claims)).toString('base64url');
    };
    world.token = [part(head, header), part(body, changes), signature].join('.');
  };
}

export const faults = {
  credentials: [
    {
      make: (world) => {
        world.credentials = { AWS_ACCESS_KEY_ID: 'AKIAOFNOBODYATALL000' };
      },
      names: /InvalidClientTokenId.*sign in, or set AWS_PROFILE/,
      status: 'unknown',
    },
  ],
  'sts-endpoint': [
    {
      make: ({ config, stack }) => {
        config['sts'].endpoints[0].endpoint = stack.issuer.origin;
      },
      names: /not as STS does/,
      words: {
        say: /correct sts\.endpoints/,
        mend: ({ config, stack }) => {
          config['sts'].endpoints[0].endpoint = stack.sts.url;
        },
      },
    },
    {
      make: ({ config }) => {
        config['sts'].endpoints[0].endpoint = 'http://127.0.0.1:1';
      },
      names: /cannot be reached/,
      words: {
        say: /correct sts\.endpoints/,
        mend: ({ config, stack }) => {
          config['sts'].endpoints[0].endpoint = stack.sts.url;
        },
      },
    },
  ],
  clock: [
    {
      make: (world) => {
        world.aws.skewMs = 250_000;
      },
      names: /\b2(49|50|51) s behind that of STS/,
      words: {
        say: /set-ntp true/,
        mend: (world) => {
          world.aws.skewMs = 0;
        },
      },
    },
  ],
  provider: [
    {
      make: ({ stack }) => stack.sts.removeProvider(localAccount, stack.issuer.url),
      names: /has no provider for/,
    },
    {
      make: ({ stack, host }) => stack.sts.removeProvider(localAccount, host.url),
      names: /has no provider for/,
    },
  ],
  issuer: [
    {
      make: (world) => provider(world, { issuer: `${world.stack.issuer.url}/` }),
      names: /a slash, the case of a letter/,
    },
    {
      make: (world) =>
        provider(world, { issuer: world.stack.issuer.url.replace('Local', 'LOCAL') }),
      names: /a slash, the case of a letter/,
    },
  ],
  audiences: [
    {
      make: (world) => provider(world, { clientIds: ['another-client'] }),
      names: /does not list 1orders.*1 of at most 100/,
    },
    {
      make: (world) => {
        const clientIds = Array.from({ length: 100 }, (_, index) => `client-${index}`);
        provider(world, { clientIds });
      },
      names: /does not list 1orders.*100 of at most 100/,
      words: {
        say: /have the broker issue the tokens/,
        mend: (world) => {
          for (const mapping of world.mappings) mapping.session.identity = 'broker';
          world.token = undefined;
        },
      },
    },
  ],
  discovery: [
    ...(
      [
        [{ status: 404, body: '' }, /answers with status 404/],
        [{ status: 302, body: '' }, /cannot be fetched: it redirects/],
        [{ status: 200, body: '<html>' }, /is no JSON object/],
        [{ status: 200, body: ' '.repeat(300_000) }, /is larger than 256 KiB/],
        ['silent', /cannot be fetched/],
      ] as const
    ).map(
      ([answer, names]): Fault => ({
        make: ({ host }) => {
          host.answer = answer;
        },
        names,
        words: { say: /Publish both documents/, mend: answering },
      }),
    ),
    {
      make: ({ host }) => {
        host.answer = { status: 200, body: '{"issuer":"https://elsewhere.example"}' };
      },
      names: /is of another issuer/,
      words: { say: /Render the documents again/, mend: answering },
    },
    {
      make: ({ config }) => {
        config['identity'].userPools[0].issuer = 'http://127.0.0.1:1/us-east-1_Local0001';
      },
      names: /127\.0\.0\.1:1.* cannot be fetched/,
      words: {
        say: /Correct the issuer in the configuration/,
        mend: ({ config, stack }) => {
          config['identity'].userPools[0].issuer = stack.issuer.url;
        },
      },
    },
  ],
  'key-set': [
    ...[
      [{ kty: 'RSA', kid: 'a', use: 'enc' }],
      [{ kty: 'RSA', kid: 'a', key_ops: ['verify'] }],
      [{ kty: 'RSA', kid: 'a', x5c: ['MIIB'] }],
      [
        { kty: 'RSA', kid: 'a' },
        { kty: 'RSA', kid: 'a' },
      ],
      Array.from({ length: 101 }, (_, index) => ({ kty: 'RSA', kid: `${index}` })),
      [],
    ].map(
      (keys): Fault => ({
        make: publishing(keys),
        names: /no key that STS takes|two keys of one kid|more than 100 RSA keys|no list of keys/,
        words: { say: /Render the documents again|Publish both documents/, mend: answering },
      }),
    ),
  ],
  'token-shape': [
    ...(['LITE', 'ESSENTIALS', 'PLUS'] as const).flatMap((plan) =>
      ([undefined, 'V1_0', 'V2_0'] as const).map(
        (trigger): Fault => ({
          make: (world) => {
            world.token = undefined;
            world.stack.issuer.describeAs({ plan, trigger });
          },
          names: plan === 'LITE' ? /plan Lite/ : /Missing a required claim: aud/,
          words: {
            say: /trigger/,
            mend: (world) => {
              world.stack.issuer.describeAs({ plan: 'ESSENTIALS', trigger: 'V3_0' });
              world.token = world.newToken();
            },
          },
        }),
      ),
    ),
    {
      make: unsigned({ aud: undefined }),
      names: /has no aud/,
      words: { ...newToken, say: /trigger with event version V3_0/ },
    },
    {
      make: unsigned({ token_use: 'id' }),
      names: /of a kind that the configuration does not take/,
      words: settings(/set tokenUse/, (config) => {
        config['identity'].userPools[0].tokenUse = ['access', 'id'];
      }),
    },
  ],
  token: [
    {
      make: unsigned({ exp: 1_700_000_000 }),
      names: /has expired \d+ s ago/,
      words: newToken,
    },
    {
      make: unsigned({ aud: undefined }),
      names: /lacks aud: STS says "Missing a required claim: aud"/,
      words: { ...newToken, say: /add aud/ },
    },
    {
      make: unsigned({ iat: 9_000_000_000, exp: 9_000_003_600 }),
      names: /is of the future/,
      words: { ...newToken, say: /clock/ },
    },
    {
      make: unsigned({ aud: ['a', 'b'] }),
      names: /several audiences and no azp/,
      words: { ...newToken, say: /one audience/ },
    },
    ...[{ aud: 'another', client_id: 'another' }, { client_id: 'another' }].map(
      (claims): Fault => ({
        make: unsigned(claims),
        names: /of an app client that no mapping of these roles is for/,
        words: { ...newToken, say: /token of the caller whom a mapping names/ },
      }),
    ),
  ],
  'token-key': [
    ...[{ use: 'enc' }, { key_ops: ['verify'] }, { key_ops: [] }, { x5c: ['MIIB'] }].map(
      (odd): Fault => ({
        make: (world) => {
          unsigned({ iss: world.host.url }, { kid: 'odd' })(world);
          publishing([
            { kty: 'RSA', kid: 'sound' },
            { kty: 'RSA', kid: 'odd', ...odd },
          ])(world);
        },
        names: /is signed by a key that STS does not take/,
        words: {
          say: /publish the key with use "sig"/,
          mend: publishing([
            { kty: 'RSA', kid: 'sound' },
            { kty: 'RSA', kid: 'odd', use: 'sig' },
          ]),
        },
      }),
    ),
    {
      make: unsigned({}, { kid: 'of-last-year' }),
      names: /Couldn't retrieve verification key/,
      words: newToken,
    },
    {
      make: unsigned({}, { alg: 'PS256' }),
      names: /an algorithm that STS does not take/,
      words: { ...newToken, say: /Show a token/ },
    },
    {
      make: unsigned({ iss: 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other0001' }),
      names: /of an issuer that no mapping of these roles is for/,
      words: { ...newToken, say: /Show a token of the pool/ },
    },
  ],
  'trust-policy': [
    {
      make: ({ stack, roles }) => stack.sts.removeRole(roles.orders),
      names: /there is no such role/,
    },
    {
      make: trust(
        'orders',
        first((statement) => ({ ...statement, Action: 'sts:AssumeRole' })),
      ),
      names: /no statement for the provider allows sts:AssumeRoleWithWebIdentity/,
    },
    {
      make: trust(
        'orders',
        first((statement) => ({
          ...statement,
          Principal: { Federated: `arn:aws:iam::${localAccount}:oidc-provider/another` },
        })),
      ),
      names: /no statement names the provider .*; it names .*oidc-provider\/another/,
    },
    {
      make: conditions((name) => ({ StringEquals: { [`${name}:aud`]: 'another-client' } })),
      names: /StringEquals .*:aud wants another-client, and STS sees 1orders/,
    },
    {
      make: conditions((name, { ordersClient }) => ({
        StringEquals: { [`${name}:aud`]: ordersClient, [`${name}:client_id`]: ordersClient },
      })),
      names: /client_id wants .*, and STS sees nothing/,
    },
    {
      make: trust('orders', (statements) => [
        ...statements,
        {
          Sid: 'NobodyKnowsWhy',
          Effect: 'Deny',
          Principal: '*',
          Action: 'sts:AssumeRoleWithWebIdentity',
        },
      ]),
      names: /is denied by statement NobodyKnowsWhy/,
    },
    {
      make: trust('ledger', without('TokenBroker')),
      names: /no statement for the provider allows sts:AssumeRoleWithWebIdentity/,
    },
    {
      make: trust('ledger', without('TokenBrokerTags')),
      names: /no statement for the provider allows sts:TagSession/,
    },
    {
      make: trust('ledger', without('TokenBrokerSourceIdentity')),
      names: /no statement for the provider allows sts:SetSourceIdentity/,
    },
    {
      make: unsigned({
        'https://aws.amazon.com/tags': { principal_tags: { team: ['payments'] } },
      }),
      names: /no statement for the provider allows sts:TagSession/,
      words: newTokenInstead(/keeps/),
    },
    {
      make: unsigned({ sub: 'somebody-else' }),
      names: /:sub wants 1orders.*, and STS sees somebody-else/,
      words: newTokenInstead(/keeps/),
    },
  ],
  'trust-policy-open': [
    {
      make: conditions((name, { ordersClient }) => ({
        StringEquals: { [`${name}:sub`]: ordersClient },
      })),
      names: /tokens of other app clients/,
    },
    {
      make: conditions((name, { ordersClient }) => ({
        StringEquals: { [`${name}:aud`]: ordersClient },
      })),
      names: /other subjects/,
    },
    {
      make: conditions((name, { ordersClient }) => ({
        StringEquals: { [`${name}:sub`]: ordersClient },
        StringLike: { [`${name}:aud`]: '1*' },
      })),
      names: /tokens of other app clients .*1token-broker-doctor-nobody/,
    },
    {
      make: conditions((name, { ordersClient }) => ({
        StringEquals: { [`${name}:aud`]: ordersClient },
        'ForAllValues:StringEquals': { [`${name}:subject`]: ordersClient },
      })),
      names: /other subjects/,
    },
    {
      // What another mapping of the role has the broker issue is of another issuer.
      make: (world) => {
        for (const mapping of world.mappings.filter(({ role }) => role === world.roles.orders)) {
          const session = { ...mapping.session, identity: 'broker' as const };
          world.mappings.push({ ...mapping, id: `${mapping.id}-by-broker`, session });
        }
        conditions((name, { ordersClient }) => ({
          StringEquals: { [`${name}:aud`]: ordersClient },
        }))(world);
      },
      names: /other subjects/,
    },
    {
      make: trust('orders', (statements) => [
        ...statements,
        { Effect: 'Allow', Principal: '*', Action: 'sts:AssumeRole' },
      ]),
      names: /statement 2 is for Principal "\*", without any condition/,
    },
    {
      make: trust('orders', (statements) => [
        ...statements,
        { Sid: 'Any', Effect: 'Allow', Principal: { AWS: ['*'] }, Action: 'sts:*' },
      ]),
      names: /statement Any is for Principal "\*", without any condition/,
    },
    {
      make: trust(
        'ledger',
        first((statement) => {
          const { Bool: _bound, ...rest } = statement['Condition'] as Statement;
          return { ...statement, Condition: rest };
        }),
      ),
      names: /do not name this role/,
    },
  ],
  'session-duration': [
    {
      make: ({ mappings }) => {
        for (const { session } of mappings) session.maxDurationSeconds = 7200;
      },
      names: /allows sessions of 3600 s, and .* up to 7200 s/,
    },
  ],
  'session-policy': [
    {
      make: ({ stack }) =>
        stack.iam.putRolePolicy('orders-writer', 'orders', {
          Statement: [{ Effect: 'Allow', Action: ['s3:*', 'sqs:Send*'], Resource: '*' }],
        }),
      names: /sessions can do nothing/,
      words: {
        say: /Allow the role what the policy is about/,
        mend: ({ stack }) =>
          stack.iam.putRolePolicy('orders-writer', 'orders', {
            Statement: [{ Effect: 'Allow', Action: 'dynamodb:Put*', Resource: '*' }],
          }),
      },
    },
    {
      make: ({ stack }) => {
        stack.iam.putRolePolicy('orders-writer', 'orders', { Statement: [] });
        stack.iam.attachRolePolicy('orders-writer', ordersPolicy, { Statement: [] });
      },
      names: /the role has no permission at all/,
      words: {
        say: /Allow the role what the policy is about/,
        mend: ({ stack }) =>
          stack.iam.putRolePolicy('orders-writer', 'orders', {
            Statement: [{ Effect: 'Allow', NotAction: 'iam:*', Resource: '*' }],
          }),
      },
    },
    {
      // All that the role has is in a managed policy.
      make: ({ stack }) => {
        stack.iam.putRolePolicy('orders-writer', 'orders', { Statement: [] });
        stack.iam.attachRolePolicy('orders-writer', ordersPolicy, {
          Statement: [{ Effect: 'Allow', Action: ['s3:Get*', 'sns:*'], Resource: '*' }],
        });
      },
      names: /the role has s3:get\*, sns:\*: sessions can do nothing/,
      words: {
        say: /Allow the role what the policy is about/,
        mend: ({ stack }) =>
          stack.iam.attachRolePolicy('orders-writer', ordersPolicy, {
            Statement: [{ Effect: 'Allow', Action: 'dynamodb:Put*', Resource: '*' }],
          }),
      },
    },
  ],
  table: [
    {
      make: ({ config }) => {
        config['policy'].table = 'another-table';
      },
      names: /there is no such table/,
      words: settings(/Correct policy\.table/, (config) => {
        config['policy'].table = 'role-mappings';
      }),
    },
  ],
  'table-recovery': [
    {
      make: ({ stack }) => switchOff(stack.dynamodb.url, 'recovery'),
      names: /point-in-time recovery is off/,
    },
  ],
  'table-deletion-protection': [
    {
      make: ({ stack }) => switchOff(stack.dynamodb.url, 'protection'),
      names: /deletion protection is off/,
    },
  ],
  'kms-key': [
    {
      make: ({ tokenKey }) => tokenKey.describeAs({ state: 'Disabled' }),
      names: /is disabled/,
    },
    {
      make: ({ logKey }) => logKey.describeAs({ state: 'PendingDeletion' }),
      names: /is PendingDeletion/,
    },
    {
      make: ({ tokenKey }) => tokenKey.describeAs({ usage: 'ENCRYPT_DECRYPT' }),
      names: /is RSA_2048 for ENCRYPT_DECRYPT; it must be RSA_2048 for SIGN_VERIFY/,
      words: {
        say: /Make another one, and name it in webIdentity\.keys\.current/,
        mend: ({ tokenKey }) => tokenKey.describeAs({ usage: 'SIGN_VERIFY' }),
      },
    },
    {
      make: ({ config, logKey }) => {
        config['webIdentity'].keys.current.kms.endpoint = logKey.endpoint;
      },
      names: /is ECC_NIST_P256 for SIGN_VERIFY; it must be RSA_2048/,
      words: {
        say: /name it in webIdentity\.keys\.current/,
        mend: ({ config, tokenKey }) => {
          config['webIdentity'].keys.current.kms.endpoint = tokenKey.endpoint;
        },
      },
    },
    {
      make: ({ tokenKey }) => tokenKey.behave({ error: 'NotFoundException' }),
      names: /there is no such key/,
      words: {
        say: /Correct webIdentity\.keys\.current/,
        mend: ({ tokenKey }) => tokenKey.behave('answer'),
      },
    },
  ],
  'kms-key-policy': [
    { Principal: '*', Action: 'kms:*' },
    { Principal: { AWS: ['*'] }, Action: ['kms:DescribeKey', 'kms:S*'] },
    { Principal: '*', NotAction: 'kms:PutKeyPolicy' },
    { Principal: { AWS: '*' }, NotAction: ['kms:PutKeyPolicy', 'kms:Delete*'], Condition: {} },
  ].map(
    (statement): Fault => ({
      make: ({ tokenKey }) =>
        tokenKey.describeAs({
          policy: {
            Version: '2012-10-17',
            Statement: [{ Effect: 'Allow', Resource: '*', ...statement }],
          },
        }),
      names: /everybody may sign with it/,
    }),
  ),
  'broker-permissions': [
    {
      make: ({ stack }) => stack.iam.putRolePolicy('token-broker', 'broker', { Statement: [] }),
      names:
        /may not (?:dynamodb:GetItem, dynamodb:Query, dynamodb:Scan|kms:GetPublicKey, kms:Sign),/,
    },
  ],
  exchange: [
    {
      make: conditions((name) => ({ StringEquals: { [`${name}:aud`]: 'another-client' } })),
      names: /STS refuses the sample token: sts_access_denied/,
      args: tryingOrders,
      words: {
        say: /trust policy/,
        mend: (world) => {
          const { stack, roles, ordersClient } = world;
          const name = stack.issuer.url.replace('http://', '');
          const Condition = { StringEquals: { [`${name}:aud`]: ordersClient } };
          const Principal = { Federated: `arn:aws:iam::${localAccount}:oidc-provider/${name}` };
          const Action = 'sts:AssumeRoleWithWebIdentity';
          const statement = { Effect: 'Allow', Principal, Action, Condition };
          stack.sts.putRole({ arn: roles.orders, trustPolicy: { Statement: [statement] } });
        },
      },
    },
    {
      make: unsigned({ aud: undefined }),
      names: /STS refuses the sample token: sts_token_rejected/,
      args: tryingOrders,
      words: { ...newToken, say: /trigger/ },
    },
    {
      make: (world) => provider(world, { clientIds: ['another-client'] }),
      names: /STS refuses the sample token: sts_token_rejected/,
      args: tryingOrders,
      words: {
        say: /add it to its client ids/,
        mend: (world) => provider(world, {}),
      },
    },
  ],
} satisfies Record<CheckId, readonly [Fault, ...Fault[]] | readonly Fault[]>;

/** A token that the policy does not know of is mended by another token as well. */
function newTokenInstead(say: RegExp) {
  return { ...newToken, say };
}

async function switchOff(endpoint: string, what: 'recovery' | 'protection'): Promise<void> {
  const { DynamoDBClient, UpdateContinuousBackupsCommand, UpdateTableCommand } = await import(
    '@aws-sdk/client-dynamodb'
  );
  const client = new DynamoDBClient({ region: 'us-east-1', endpoint });
  const TableName = 'role-mappings';
  if (what === 'protection') {
    await client.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }));
  } else {
    const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: false };
    await client.send(
      new UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification }),
    );
  }
  client.destroy();
}
