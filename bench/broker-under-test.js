/** The real broker over a local stack with many app clients, each with a mapping of its own. */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configText } from '../build/emulators/config-text.js';
import { startDynamoDbServer } from '../build/emulators/dynamodb/dynamodb-server.js';
import { startIssuer } from '../build/emulators/issuer/issuer.js';
import { startStsServer } from '../build/emulators/sts/sts-server.js';
import { defaultGuardrails } from '../dist/core/policy/guardrails.js';
import { roleMappingSchema } from '../dist/core/policy/role-mapping.js';
import { createDynamoDbClient } from '../dist/dynamodb/dynamodb-client.js';
import { RoleMappingTable } from '../dist/dynamodb/role-mapping-table.js';
import { systemClock } from '../dist/kit/timing/clock.js';
import { startNode, stopProcess } from './processes.js';

const pool = 'us-east-1_Bench0001';
const account = '123456789012';
const region = 'us-east-1';
const adminScopes = ['broker/admin.read', 'broker/admin.write', 'broker/admin.freeze'];
const clock = systemClock;
/** A provider takes 100 client ids, and an account has one provider for an issuer: so many accounts. */
const clientsPerAccount = 100;

/** What is measured is the broker, not what its limits let through. */
const unlimited = { perSecond: 1_000_000, burst: 1_000_000 };

/** `callers` app clients, the first of them an administrator's; `stsLatencyMs` is added to every answer of STS. */
export async function startBrokerUnderTest({ directory, callers, stsLatencyMs, limits = {} }) {
  const clients = Array.from({ length: callers }, (_, index) => ({
    clientId: `client${String(index).padStart(20, '0')}`,
    clientSecret: 'bench',
    name: `client ${index}`,
    scopes: index === 0 ? ['bench/use', ...adminScopes] : ['bench/use'],
    aud: 'client_id',
  }));
  const roleOf = (index) =>
    `arn:aws:iam::${accountOf(index)}:role/bench/role-${index % clientsPerAccount}`;
  const issuer = await startIssuer({ clock, poolId: pool, clients });
  const sts = await startStsServer({
    clock,
    latencyMs: stsLatencyMs,
    providers: accounts(callers).map((accountId, at) => ({
      accountId,
      issuer: issuer.url,
      jwksUri: issuer.jwksUri,
      clientIds: clients
        .slice(at * clientsPerAccount, (at + 1) * clientsPerAccount)
        .map(({ clientId }) => clientId),
    })),
    roles: clients.map((_, index) => ({
      arn: roleOf(index),
      trustPolicy: trustPolicy(accountOf(index), issuer.url),
    })),
  });
  const dynamodb = await startDynamoDbServer({ clock });
  await writeMappings(dynamodb.url, clients, roleOf);

  const config = {
    profile: 'development',
    listeners: { api: { port: 0 }, admin: { port: 0 }, ops: { port: 0 } },
    http: { drainSeconds: 0 },
    identity: {
      userPools: [
        {
          pool,
          issuer: issuer.url,
          jwksUri: issuer.jwksUri,
          clients: clients.map(({ clientId }) => clientId),
        },
      ],
    },
    policy: { table: 'bench', region, endpoint: dynamodb.url },
    sts: { endpoints: [{ region, endpoint: sts.url }], perAccount: unlimited },
    limits: { perCaller: unlimited, ...limits },
    admin: { pool, clients: [clients[0].clientId], machines: true },
    log: { level: 'error' },
  };
  const { child, urls } = await startBroker(config, directory);
  const replicas = [];
  return {
    child,
    url: new URL(urls.api),
    admin: urls.admin,
    /** Another broker on the same table; its admin listener. */
    async addReplica() {
      const replica = await startBroker(config, join(directory, `replica-${replicas.length}`));
      replicas.push(replica.child);
      return replica.urls.admin;
    },
    token: (index) => issuer.issueAccessToken({ clientId: clients[index].clientId }),
    stsCalls: () => sts.requests.length,
    async metric(name) {
      const text = await (await fetch(new URL('/metrics', urls.ops))).text();
      const line = text.split('\n').find((candidate) => candidate.startsWith(name));
      return Number(line?.split(' ').at(-1));
    },
    async stop() {
      await Promise.all([child, ...replicas].map(stopProcess));
      await Promise.all([issuer.stop(), sts.stop(), dynamodb.stop()]);
    },
  };
}

async function startBroker(config, directory) {
  mkdirSync(directory, { recursive: true });
  const configFile = join(directory, 'config.yaml');
  const readyFile = join(directory, 'ready.json');
  rmSync(readyFile, { force: true });
  writeFileSync(
    configFile,
    configText({ ...config, audit: { directory: join(directory, 'audit') } }),
  );
  const child = startNode(
    0,
    ['dist/main.js', 'serve', '--config', configFile, '--ready-file', readyFile],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' },
    },
  );
  return { child, urls: await waitForFile(readyFile, child) };
}

const accountOf = (index) => String(Number(account) + Math.floor(index / clientsPerAccount));

function accounts(callers) {
  return Array.from({ length: Math.ceil(callers / clientsPerAccount) }, (_, at) =>
    accountOf(at * clientsPerAccount),
  );
}

function trustPolicy(accountId, issuer) {
  const provider = issuer.replace(/^https?:\/\//, '');
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Federated: `arn:aws:iam::${accountId}:oidc-provider/${provider}` },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: { StringLike: { [`${provider}:aud`]: 'client*' } },
      },
    ],
  };
}

async function writeMappings(endpoint, clients, roleOf) {
  const client = createDynamoDbClient({
    region,
    endpoint,
    credentials: { accessKeyId: 'bench', secretAccessKey: 'bench' },
  });
  const table = new RoleMappingTable({
    client,
    tableName: 'bench',
    rules: { matchableClaims: new Set(), guardrails: defaultGuardrails },
    clock,
  });
  await table.create();
  for (const [index, { clientId }] of clients.entries()) {
    await table.write({
      id: `bench-${index}`,
      expectedVersion: 'absent',
      mapping: roleMappingSchema.parse({
        id: `bench-${index}`,
        principal: { pool, client: clientId },
        effect: 'allow',
        role: roleOf(index),
        conditions: { scopes: ['bench/use'] },
        owner: 'bench',
      }),
      actor: 'bench',
      reason: 'benchmark',
    });
  }
  client.destroy();
}

async function waitForFile(file, child) {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline && child.exitCode === null) {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error('the broker did not start');
}
