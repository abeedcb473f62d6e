/** The real broker over a local stack with many app clients, each with a mapping of its own. */

import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configText } from '../build/emulators/config-text.js';
import { defaultGuardrails } from '../dist/core/policy/guardrails.js';
import { roleMappingSchema } from '../dist/core/policy/role-mapping.js';
import { createDynamoDbClient } from '../dist/dynamodb/dynamodb-client.js';
import { RoleMappingTable } from '../dist/dynamodb/role-mapping-table.js';
import { systemClock } from '../dist/kit/timing/clock.js';
import { keySetPath } from '../dist/web-identity/documents.js';
import { startNode, stopProcess } from './processes.js';
import { fillTable } from './table-rows.js';

const pool = 'us-east-1_Bench0001';
const account = '123456789012';
const region = 'us-east-1';
const adminScopes = ['broker/admin.read', 'broker/admin.write', 'broker/admin.freeze'];
const clock = systemClock;
/** A provider takes 100 client ids, and an account has one provider for an issuer: so many accounts. */
const clientsPerAccount = 100;

/** Where nothing listens: STS is told where the keys are. */
const own = { issuer: 'http://127.0.0.1:1/bench', audience: 'sts.amazonaws.com' };

/** By a key of its own, for a signature is no part of what is measured. */
const issuing = {
  webIdentity: { ...own, default: 'broker', signTimeoutMs: 10_000, serveDocuments: true },
};

/** What is measured is the broker, not what its limits let through. */
const unlimited = { perSecond: 1_000_000, burst: 1_000_000 };

/**
 * `callers` app clients, the first of them an administrator's; `stsLatencyMs` is added to every answer of STS. `identity` says
 * whose token STS is shown, `caller` or `broker`. `limits`, `cache` and `traces` go into its configuration.
 */
export async function startBrokerUnderTest({
  directory,
  callers,
  stsLatencyMs,
  identity = 'caller',
  limits = {},
  cache = {},
  traces,
  nodeOptions,
}) {
  const clients = Array.from({ length: callers }, (_, index) => ({
    clientId: `client${String(index).padStart(20, '0')}`,
    clientSecret: 'bench',
    name: `client ${index}`,
    scopes: index === 0 ? ['bench/use', ...adminScopes] : ['bench/use'],
    aud: 'client_id',
  }));
  const roleOf = (index) =>
    `arn:aws:iam::${accountOf(index)}:role/bench/role-${index % clientsPerAccount}`;
  const cloud = startNode(1, ['bench/cloud.js'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  cloud.send(ordersOf());
  const [{ issuer, jwksUri, sts, dynamodb, tokens }] = await once(cloud, 'message');
  await writeMappings(dynamodb, clients, roleOf);

  const config = {
    profile: 'development',
    listeners: { api: { port: 0 }, admin: { port: 0 }, ops: { port: 0 }, identity: { port: 0 } },
    http: { drainSeconds: 0 },
    identity: {
      userPools: [
        {
          pool,
          issuer,
          jwksUri,
          clients: clients.map(({ clientId }) => clientId),
        },
      ],
    },
    policy: { table: 'bench', region, endpoint: dynamodb },
    sts: { endpoints: [{ region, endpoint: sts }], perAccount: unlimited },
    limits: { perCaller: unlimited, ...limits },
    cache,
    ...(traces === undefined ? {} : { traces }),
    admin: { pool, clients: [clients[0].clientId], machines: true },
    log: { level: 'error' },
    ...(identity === 'caller' ? {} : issuing),
  };
  const { child, urls } = await startBroker(config, directory, nodeOptions);
  if (urls.identity !== undefined)
    await tellCloud({ jwksUri: `${urls.identity}/bench${keySetPath}` });
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
    token: (index) => tokens[index],
    /** URL of the STS that it asks. */
    sts,
    roleOf,
    async stsCalls() {
      return (await tellCloud({})).stsCalls;
    },
    async metric(name) {
      const text = await (await fetch(new URL('/metrics', urls.ops))).text();
      const line = text.split('\n').find((candidate) => candidate.startsWith(name));
      return Number(line?.split(' ').at(-1));
    },
    async stop() {
      await Promise.all([child, ...replicas].map(stopProcess));
      await stopProcess(cloud);
    },
  };

  async function tellCloud(message) {
    cloud.send(message);
    const [answer] = await once(cloud, 'message');
    return answer;
  }

  function ordersOf() {
    return {
      own,
      pool,
      clients,
      stsLatencyMs,
      accounts: accounts(callers).map((accountId, at) => ({
        accountId,
        clientIds: clients
          .slice(at * clientsPerAccount, (at + 1) * clientsPerAccount)
          .map(({ clientId }) => clientId),
      })),
      roles: clients.map((_, index) => ({ arn: roleOf(index), accountId: accountOf(index) })),
    };
  }
}

async function startBroker(config, directory, nodeOptions = []) {
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
    [...nodeOptions, 'dist/main.js', 'serve', '--config', configFile, '--ready-file', readyFile],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
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
  const mappingOf = (index) =>
    roleMappingSchema.parse({
      id: `bench-${index}`,
      principal: { pool, client: clients[index].clientId },
      effect: 'allow',
      role: roleOf(index),
      conditions: { scopes: ['bench/use'] },
      owner: 'bench',
    });
  await fillTable({ client, tableName: 'bench', count: clients.length, mappingOf });
  client.destroy();
}

async function waitForFile(file, child) {
  const deadline = Date.now() + 120_000;
  while (Date.now() < deadline && child.exitCode === null) {
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error('the broker did not start');
}
