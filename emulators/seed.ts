/** What the local stack holds when it is new: app clients, IAM roles and role mappings to play with. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { RoleMappingInput } from '../src/core/policy/role-mapping.ts';
import { RolePolicies } from './iam/role-policies.ts';
import type { IssuerClient, IssuerUser } from './issuer/issuer-claims.ts';
import { readStateText, writeStateText } from './state-file.ts';
import type { IamRole } from './sts/sts-server.ts';

export const localPool = 'us-east-1_Local0001';
export const localAccount = '123456789012';

export interface SeededClient extends IssuerClient {
  /** Roles that a mapping allows this client; the first is the one to try. */
  readonly roles: readonly string[];
  /** What this client is there to show. */
  readonly about: string;
}

/** Whose credentials everything of the local stack is called with. */
export const localOperator = {
  arn: `arn:aws:iam::${localAccount}:user/operator`,
  accessKeyId: 'local',
  secretAccessKey: 'local',
} as const;

const roleArn = (name: string) => `arn:aws:iam::${localAccount}:role/broker/${name}`;

/** What `reports` goes on asking for, though its mapping has ended: something to find out about, and to mend. */
export const lapsedRole = roleArn('reports-archiver');

interface ClientSeed {
  readonly name: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly aud: 'none' | 'client_id';
  readonly roles: readonly string[];
  readonly about: string;
  /** Has no secret: people sign in by it. */
  readonly public?: boolean;
}

const adminScopes = ['broker/admin.read', 'broker/admin.write', 'broker/admin.freeze'];

const clientSeeds: readonly ClientSeed[] = [
  {
    name: 'orders',
    clientId: '1orders0example0client0id0',
    scopes: ['orders/write'],
    aud: 'client_id',
    roles: [roleArn('orders-writer')],
    about: 'allowed one role',
  },
  {
    name: 'reports',
    clientId: '2reports0example0client0id',
    scopes: ['reports/read', 'reports/publish'],
    aud: 'client_id',
    roles: [roleArn('reports-reader'), roleArn('reports-publisher'), lapsedRole],
    about: 'allowed two roles, so it must name one; a third one it had until January',
  },
  {
    name: 'stranger',
    clientId: '3stranger0example0client0i',
    scopes: ['orders/write'],
    aud: 'client_id',
    roles: [],
    about: 'no role mapping',
  },
  {
    name: 'legacy',
    clientId: '4legacy0example0client0id0',
    scopes: ['orders/read'],
    aud: 'none',
    roles: [roleArn('legacy-reader')],
    about: 'its tokens carry no aud, as Cognito issues them by itself',
  },
  {
    name: 'ledger',
    clientId: '6ledger0example0client0id0',
    scopes: ['ledger/read'],
    aud: 'none',
    roles: [roleArn('ledger-reader')],
    about: 'its tokens carry no aud either: the broker issues the token that STS is shown',
  },
  {
    name: 'admin',
    clientId: '5admin0example0client0id00',
    scopes: adminScopes,
    aud: 'client_id',
    roles: [],
    about: 'may use the admin listener',
  },
  {
    name: 'console',
    clientId: '6console0example0client0i',
    scopes: adminScopes,
    aud: 'client_id',
    roles: [],
    about: 'by which people sign in to the console; it has no secret',
    public: true,
  },
];

/** Whose members are administrators. */
export const adminGroup = 'broker-admins';

/** People who can sign in; two of them are administrators, so that one can see what another did. */
export const seededUsers: readonly IssuerUser[] = [
  { username: 'alice', sub: '0a7c1d52-0000-4000-8000-000000000001', groups: [adminGroup] },
  { username: 'bob', sub: '0a7c1d52-0000-4000-8000-000000000002', groups: [adminGroup] },
  { username: 'carol', sub: '0a7c1d52-0000-4000-8000-000000000003', groups: ['reports-team'] },
];

/** The clients, with secrets that are made once and kept in `directory`. */
export function seedClients(directory: string): readonly SeededClient[] {
  const file = join(directory, 'client-secrets.json');
  const known = JSON.parse(readStateText(file) ?? '{}') as Record<string, string>;
  const clients = clientSeeds.map((seed) => ({
    ...seed,
    clientSecret: seed.public
      ? ''
      : (known[seed.clientId] ?? randomBytes(24).toString('base64url')),
  }));
  const secrets = Object.fromEntries(
    clients.map((client) => [client.clientId, client.clientSecret]),
  );
  writeStateText(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return clients;
}

/** The broker as an issuer that the local STS trusts, for mappings that ask for it. */
export const localIdentity = {
  issuer: 'https://token-broker-identity.example',
  audience: 'sts.amazonaws.com',
  /** Has that identity. */
  role: roleArn('ledger-reader'),
  /** Trusts it as well, and no mapping gives it to anybody. */
  otherRole: roleArn('ledger-writer'),
} as const;

/** As `token-broker trust-policy` prints it. */
export function identityRoles(): readonly IamRole[] {
  const { issuer, audience } = localIdentity;
  const provider = issuer.replace(/^https:\/\//, '');
  const Principal = { Federated: `arn:aws:iam::${localAccount}:oidc-provider/${provider}` };
  const StringEquals = { [`${provider}:aud`]: audience };
  const statement = (Action: string, conditions: object) => {
    return { Effect: 'Allow', Principal, Action, Condition: { StringEquals, ...conditions } };
  };
  return [localIdentity.role, localIdentity.otherRole].map((arn) => ({
    arn,
    trustPolicy: {
      Version: '2012-10-17',
      Statement: [
        statement('sts:AssumeRoleWithWebIdentity', { Bool: { 'sts:RoleAuthorizedByIdp': 'true' } }),
        statement('sts:TagSession', {
          'ForAllValues:StringEquals': { 'aws:TagKeys': ['client', 'tenant'] },
        }),
        statement('sts:SetSourceIdentity', {}),
      ],
    },
  }));
}

/** IAM roles whose trust policies pin the audience and the subject, as they should in a real account. */
export function seedRoles(issuer: string): readonly IamRole[] {
  const provider = issuer.replace(/^https?:\/\//, '');
  return clientSeeds.flatMap(({ clientId, roles }) =>
    roles.map((arn) => ({
      arn,
      maxSessionDurationSeconds: 3600,
      trustPolicy: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { Federated: `arn:aws:iam::${localAccount}:oidc-provider/${provider}` },
            Action: 'sts:AssumeRoleWithWebIdentity',
            Condition: {
              StringEquals: { [`${provider}:aud`]: clientId, [`${provider}:sub`]: clientId },
            },
          },
        ],
      },
    })),
  );
}

/** What the roles are for, as far as a session policy narrows it. */
export function rolePolicies(): RolePolicies {
  const policies = new RolePolicies();
  policies.put('orders-writer', 'orders', {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
        Resource: `arn:aws:dynamodb:us-east-1:${localAccount}:table/orders`,
      },
    ],
  });
  return policies;
}

export function seedMappings(): readonly RoleMappingInput[] {
  const client = (name: string) => {
    const seed = clientSeeds.find((candidate) => candidate.name === name) as ClientSeed;
    return { pool: localPool, client: seed.clientId };
  };
  return [
    {
      id: 'orders-writer',
      description: 'The orders service writes its own table.',
      principal: client('orders'),
      effect: 'allow',
      role: roleArn('orders-writer'),
      conditions: { caller: 'machine', scopes: ['orders/write'] },
      session: {
        policy: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Action: ['dynamodb:PutItem', 'dynamodb:UpdateItem'],
              Resource: `arn:aws:dynamodb:us-east-1:${localAccount}:table/orders`,
              Condition: {
                'ForAllValues:StringEquals': {
                  // biome-ignore lint/suspicious/noTemplateCurlyInString: a claim reference of a session policy
                  'dynamodb:LeadingKeys': '${claim:client_id}',
                },
              },
            },
          ],
        },
      },
      owner: 'orders-team',
    },
    {
      id: 'reports-reader',
      description: 'Reports are read from the warehouse.',
      principal: client('reports'),
      effect: 'allow',
      role: roleArn('reports-reader'),
      conditions: { caller: 'machine', scopes: ['reports/read'] },
      owner: 'reports-team',
    },
    {
      id: 'reports-publisher',
      description: 'Finished reports are published.',
      principal: client('reports'),
      effect: 'allow',
      role: roleArn('reports-publisher'),
      conditions: { caller: 'machine', scopes: ['reports/publish'] },
      owner: 'reports-team',
    },
    {
      id: 'legacy-reader',
      description: 'Allowed, but its tokens cannot be exchanged until they carry aud.',
      principal: client('legacy'),
      effect: 'allow',
      role: roleArn('legacy-reader'),
      conditions: { caller: 'machine' },
      owner: 'orders-team',
    },
    {
      id: 'ledger-reader',
      description:
        'The broker issues the token that STS is shown, with tags and a source identity.',
      principal: client('ledger'),
      effect: 'allow',
      role: localIdentity.role,
      conditions: { caller: 'machine' },
      session: {
        identity: 'broker',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a claim reference
        tags: { tenant: 'acme', client: '${claim:client_id}' },
        // biome-ignore lint/suspicious/noTemplateCurlyInString: a claim reference
        sourceIdentity: '${claim:client_id}',
      },
      owner: 'ledger-team',
    },
  ];
}

/** Of the running stack alone: mappings as they should be are what examples in files begin with. */
export function lapsedMapping(): RoleMappingInput {
  const [, , publisher] = seedMappings();
  return {
    ...(publisher as RoleMappingInput),
    id: 'reports-archiver',
    description: 'Old reports are moved to the archive. Granted for the migration of January.',
    role: lapsedRole,
    conditions: { caller: 'machine', scopes: ['reports/read'], expiresAt: '2026-01-31T00:00:00Z' },
  };
}
