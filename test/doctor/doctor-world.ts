/** The local stack with one role of each form, everything as it should be, and the doctor in front of it. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type KmsServer, keyArn, startKmsServer } from '../../emulators/kms/kms-server.ts';
import { type LocalStack, startLocalStack } from '../../emulators/local-stack.ts';
import { localAccount, localPool, seedMappings } from '../../emulators/seed.ts';
import { addDoctorCommand } from '../../src/cli/commands/doctor.ts';
import { type RoleMapping, roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import type { CheckedFinding } from '../../src/doctor/examine.ts';
import { createDynamoDbClient } from '../../src/dynamodb/dynamodb-client.ts';
import { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import { type Clock, systemClock } from '../../src/kit/timing/clock.ts';
import { publicDocuments } from '../../src/web-identity/documents.ts';
import { publishedKey } from '../../src/web-identity/public-key.ts';
import { trustPolicy } from '../../src/web-identity/trust-policy.ts';
import { runCommandLine } from '../support/command-line.ts';
import { type DocumentHost, startDocumentHost } from '../support/document-host.ts';
import { type Ran, rules } from '../support/mapping-folder.ts';
import { ordinaryProcess } from '../support/ordinary-process.ts';
import { signingKeys } from '../support/outside-world.ts';
import { patientTable } from '../support/patience.ts';
import { withEnvironment } from '../support/with-environment.ts';
import { applyAwsCommand } from './aws-command.ts';

const operator = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };
const region = 'us-east-1';
const roleArn = (name: string) => `arn:aws:iam::${localAccount}:role/${name}`;

/** Managed, and attached to the role of the orders. */
export const ordersPolicy = `arn:aws:iam::${localAccount}:policy/orders`;

export interface Report {
  readonly findings: readonly CheckedFinding[];
  readonly counts: Readonly<Record<CheckedFinding['status'], number>>;
}

export const bad = (findings: readonly CheckedFinding[]) =>
  findings.filter(({ status }) => status !== 'pass');

export interface DoctorWorld {
  readonly stack: LocalStack;
  readonly host: DocumentHost;
  readonly tokenKey: KmsServer;
  readonly logKey: KmsServer;
  /** With its token the caller's own form is exchanged. */
  readonly ordersClient: string;
  readonly roles: { readonly orders: string; readonly ledger: string; readonly broker: string };
  /** The two mappings, as the next run reads them. */
  mappings: RoleMapping[];
  /** As the next run reads it. */
  config: ConfigDocument;
  /** By how much the clock of AWS is ahead of this machine's. */
  readonly aws: { skewMs: number };
  /** Instead of the operator's keys. */
  credentials: Readonly<Record<string, string>>;
  /** What the sample token is; undefined shows none. */
  token: string | undefined;
  newToken(): string;
  /** Everything as it should be. */
  reset(): Promise<void>;
  run(...args: readonly string[]): Promise<Ran>;
  report(...args: readonly string[]): Promise<Report & { readonly code: number }>;
  /** Every command in it, as a shell reads it, against the emulators. */
  follow(cure: readonly string[]): Promise<number>;
  stop(): Promise<void>;
}

/** Whatever a configuration file says. */
// biome-ignore lint/suspicious/noExplicitAny: tests write what they like into it
export type ConfigDocument = Record<string, any>;

const table = 'role-mappings';

export async function startDoctorWorld(): Promise<DoctorWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-doctor-'));
  const documents = join(folder, 'documents');
  const aws = { skewMs: 0 };
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + aws.skewMs };
  const { access } = signingKeys().current;
  const [stack, host, tokenKey, logKey] = await Promise.all([
    startLocalStack({
      clock,
      directory: join(folder, 'stack'),
      fresh: false,
      ports: { issuer: 0, sts: 0, dynamodb: 0, iam: 0 },
    }),
    startDocumentHost(documents),
    startKmsServer('rsa', access.privateKeyPem),
    startKmsServer('p256'),
  ]);
  const ordersClient = stack.clients.find(({ name }) => name === 'orders')?.clientId ?? '';
  const issuer = host.url;
  await makeTable(stack.dynamodb.url);
  for (const { path, text } of publicDocuments(issuer, [publishedKey(tokenKey.publicKey)])) {
    const file = join(documents, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  const world: DoctorWorld = {
    ...{ stack, host, tokenKey, logKey, ordersClient },
    roles: {
      orders: roleArn('broker/orders-writer'),
      ledger: roleArn('broker/ledger-reader'),
      broker: roleArn('token-broker'),
    },
    mappings: [],
    config: {},
    aws,
    credentials: operator,
    token: undefined,
    newToken: () => stack.issuer.issueAccessToken({ clientId: ordersClient }),
    async reset() {
      aws.skewMs = 0;
      world.credentials = operator;
      world.token = world.newToken();
      world.mappings = seedMappings()
        .map((mapping) => roleMappingSchema.parse(mapping))
        .filter(({ id }) => id === 'orders-writer' || id === 'ledger-reader');
      world.config = configDocument(world, folder);
      host.answer = undefined;
      host.asked.length = 0;
      for (const key of [tokenKey, logKey]) {
        key.behave('answer');
        key.describeAs({
          arn: keyArn,
          state: 'Enabled',
          usage: 'SIGN_VERIFY',
          policy: keyPolicy,
        });
      }
      resetAccount(world);
      await protectTable(stack.dynamodb.url);
    },
    async run(...args) {
      const mappings = join(folder, 'mappings');
      rmSync(mappings, { recursive: true, force: true });
      mkdirSync(mappings);
      for (const mapping of world.mappings) {
        // YAML is a superset of JSON.
        writeFileSync(join(mappings, `${mapping.id}.yaml`), JSON.stringify(mapping));
      }
      const configFile = join(folder, 'config.yaml');
      writeFileSync(configFile, JSON.stringify(world.config));
      const tokenFile = join(folder, 'token.jwt');
      writeFileSync(tokenFile, world.token ?? '');
      return await withEnvironment(world.credentials, () =>
        runCommandLine(
          addDoctorCommand,
          [
            ...['doctor', '--config', configFile, '--mappings', mappings],
            ...['--iam-endpoint', stack.iam.url, '--cognito-endpoint', stack.issuer.origin],
            ...['--broker-role', world.roles.broker],
            ...(world.token === undefined ? [] : ['--token-file', tokenFile]),
            ...args,
          ],
          { configSource: (file) => ({ file, env: {}, runtime: ordinaryProcess }) },
        ),
      );
    },
    async report(...args) {
      const { code, out, err } = await world.run('-o', 'json', ...args);
      if (out === '') throw new Error(`the doctor printed nothing: ${err}`);
      return { ...(JSON.parse(out) as Report), code };
    },
    async follow(cure) {
      const commands = cure.filter((line) => line.startsWith('aws '));
      for (const command of commands) {
        const script = `aws() { printf '%s\\0' "$@"; }; ${command}`;
        const words = execFileSync('bash', ['--norc', '-c', script])
          .toString()
          .split('\0')
          .slice(0, -1);
        await withEnvironment(operator, () => applyAwsCommand(words, world));
      }
      return commands.length;
    },
    async stop() {
      await Promise.all([stack.stop(), host.stop(), tokenKey.stop(), logKey.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return world;
}

const keyPolicy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: roleArn('token-broker') },
      Action: ['kms:Sign', 'kms:GetPublicKey'],
      Resource: '*',
    },
  ],
};

function configDocument(world: DoctorWorld, folder: string): ConfigDocument {
  const { stack, host, tokenKey, logKey } = world;
  const kms = ({ endpoint }: KmsServer) => ({ keyId: 'alias/broker', region, endpoint });
  return {
    profile: 'development',
    identity: {
      userPools: [
        {
          pool: localPool,
          issuer: stack.issuer.url,
          jwksUri: stack.issuer.jwksUri,
          clients: stack.clients.map(({ clientId }) => clientId),
        },
      ],
    },
    policy: { table, region, endpoint: stack.dynamodb.url },
    sts: { endpoints: [{ region, endpoint: stack.sts.url }] },
    webIdentity: { issuer: host.url, keys: { current: { kms: kms(tokenKey) } } },
    audit: {
      directory: join(folder, 'audit'),
      checkpoints: { origin: 'example.com/audit', kms: kms(logKey) },
    },
  };
}

/** Both providers, and each role as `trust-policy` prints it. */
function resetAccount({ stack, host, roles, mappings, ordersClient }: DoctorWorld): void {
  const { sts, iam, issuer } = stack;
  for (const provider of sts.providers) sts.removeProvider(localAccount, provider.issuer);
  for (const role of sts.roles) sts.removeRole(role.arn);
  iam.deny([]);
  iam.answerWith();
  issuer.describeAs({ plan: 'ESSENTIALS', trigger: 'V3_0' });
  sts.putProvider({
    accountId: localAccount,
    issuer: issuer.url,
    jwksUri: issuer.jwksUri,
    clientIds: [ordersClient],
  });
  const jwksUri = `${host.url}/.well-known/jwks.json`;
  const clientIds = ['sts.amazonaws.com'];
  sts.putProvider({ accountId: localAccount, issuer: host.url, jwksUri, clientIds });
  for (const arn of [roles.orders, roles.ledger]) {
    sts.putRole({
      arn,
      trustPolicy: trustPolicy(arn, mappings, {
        byDefault: 'caller',
        broker: { issuer: host.url, audience: 'sts.amazonaws.com' },
        pools: new Map([[localPool, [{ issuer: issuer.url, audiences: [ordersClient] }]]]),
        sourceVpce: undefined,
      }),
    });
  }
  const Principal = { Federated: `arn:aws:iam::${localAccount}:oidc-provider/other` };
  const trusts = { Effect: 'Allow', Principal, Action: 'sts:AssumeRoleWithWebIdentity' };
  sts.putRole({ arn: roles.broker, trustPolicy: { Statement: [trusts] } });
  iam.putRolePolicy('orders-writer', 'orders', {
    Statement: [{ Effect: 'Allow', Action: 'dynamodb:*', Resource: '*' }],
  });
  iam.attachRolePolicy('orders-writer', ordersPolicy, {
    Statement: [{ Effect: 'Allow', Action: 'logs:PutLogEvents', Resource: '*' }],
  });
  iam.putRolePolicy('token-broker', 'broker', {
    Statement: [{ Effect: 'Allow', Action: ['dynamodb:*', 'kms:*'], Resource: '*' }],
  });
}

async function makeTable(endpoint: string): Promise<void> {
  const client = createDynamoDbClient({ region, endpoint, timeouts: patientTable });
  await new RoleMappingTable({ client, tableName: table, rules, clock: systemClock }).create();
  client.destroy();
}

async function protectTable(endpoint: string): Promise<void> {
  const words = (...more: readonly string[]) => ['dynamodb', ...more];
  const on = { stack: { dynamodb: { url: endpoint } } };
  await applyAwsCommand(
    words('update-table', '--table-name', table, '--deletion-protection-enabled'),
    on,
  );
  await applyAwsCommand(
    words(
      ...['update-continuous-backups', '--table-name', table],
      ...['--point-in-time-recovery-specification', 'PointInTimeRecoveryEnabled=true'],
    ),
    on,
  );
}
