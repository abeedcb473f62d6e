/** Local servers, a seeded table, and the real broker in a process of its own in front of them. */

import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import type { configSchema } from '../src/config/schema.ts';
import { defaultGuardrails } from '../src/core/policy/guardrails.ts';
import { roleMappingSchema } from '../src/core/policy/role-mapping.ts';
import { createDynamoDbClient } from '../src/dynamodb/dynamodb-client.ts';
import { RoleMappingTable } from '../src/dynamodb/role-mapping-table.ts';
import { replaceFile } from '../src/kit/files/replace-file.ts';
import { readStateFile } from '../src/kit/files/state-file.ts';
import { systemClock } from '../src/kit/timing/clock.ts';
import { keepingAlive } from '../src/kit/timing/keeping-alive.ts';
import { sleep } from '../src/kit/timing/sleep.ts';
import { configText } from './config-text.ts';
import { type LocalStack, startLocalStack } from './local-stack.ts';
import {
  adminGroup,
  lapsedMapping,
  lapsedRole,
  localAccount,
  localIdentity,
  localOperator,
  localPool,
  seedMappings,
} from './seed.ts';
import type { CloudTrailEvent } from './sts/cloudtrail-events.ts';
import type { StsServer } from './sts/sts-server.ts';

export interface LocalEnvironmentOptions {
  /** State of the stack and of the broker. */
  readonly directory: string;
  /** Empty it first. */
  readonly fresh: boolean;
  /** The broker's first port; the others follow. 0 takes free ports. */
  readonly port: number;
  /** The compiled command, run again as `serve`. */
  readonly main: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface LocalClient {
  readonly name: string;
  readonly about: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
  /** The role to ask for; null if none is allowed. */
  readonly role: string | null;
  readonly roles: readonly string[];
}

export interface LocalEnvironment {
  readonly ready: {
    readonly broker: string;
    readonly admin: string;
    readonly console: string;
    readonly ops: string;
    readonly issuer: string;
    readonly tokenEndpoint: string;
    readonly sts: string;
    readonly dynamodb: string;
    readonly iam: string;
    readonly table: string;
    readonly auditLog: string;
    readonly cloudTrail: string;
    readonly clients: readonly LocalClient[];
  };
  readonly auditDirectory: string;
  readonly sts: Pick<StsServer, 'showAgain'>;
  /** What CloudTrail would have of this run, oldest first. */
  readonly trail: readonly CloudTrailEvent[];
  /** Rejects when the broker ends by itself. */
  readonly brokerExit: Promise<never>;
  stop(): Promise<void>;
}

const table = 'token-broker-local';
const region = 'us-east-1';
/** The local DynamoDB does not look at them, but an SDK signs nothing without any. */
const credentials = {
  accessKeyId: localOperator.accessKeyId,
  secretAccessKey: localOperator.secretAccessKey,
};
/** Where `token-broker login` waits unless told otherwise. */
const loginCallback = 'http://localhost:8976/callback';
const startTimeoutMs = 120_000;
const stopTimeoutMs = 10_000;

export async function startLocalEnvironment(
  options: LocalEnvironmentOptions,
): Promise<LocalEnvironment> {
  const { directory, fresh, port } = options;
  const offset = (step: number) => (port === 0 ? 0 : port + step);
  const stack = await startLocalStack({
    clock: systemClock,
    directory,
    fresh,
    ports: { issuer: offset(3), sts: offset(4), dynamodb: offset(5), iam: offset(7) },
  });
  let broker: Broker | undefined;
  try {
    await seedTable(stack.dynamodb.url);
    broker = await startBroker(options, brokerConfig(stack, directory, offset));
  } catch (error) {
    await stack.stop();
    throw error;
  }
  const { issuer, audience } = localIdentity;
  const jwksUri = `${broker.urls.identity}/.well-known/jwks.json`;
  // Its key is new with each start of the broker.
  stack.sts.putProvider({ accountId: localAccount, issuer, jwksUri, clientIds: [audience] });
  const auditDirectory = join(directory, 'audit');
  const consoleUrl = `${broker.urls.admin}/console/`;
  for (const { name, clientId } of stack.clients) {
    if (name !== 'console') continue;
    for (const url of [consoleUrl, loginCallback]) stack.issuer.allowCallback(clientId, url);
  }
  return {
    ready: {
      broker: broker.urls.api,
      admin: broker.urls.admin,
      console: consoleUrl,
      ops: broker.urls.ops,
      issuer: stack.issuer.url,
      tokenEndpoint: stack.issuer.tokenEndpoint,
      sts: stack.sts.url,
      dynamodb: stack.dynamodb.url,
      iam: stack.iam.url,
      table,
      auditLog: join(auditDirectory, 'audit.jsonl'),
      cloudTrail: stack.trailFile,
      clients: stack.clients.map(({ name, about, clientId, clientSecret, scopes, roles }) => ({
        name,
        about,
        clientId,
        clientSecret,
        scope: scopes.join(' '),
        role: roles[0] ?? null,
        roles,
      })),
    },
    auditDirectory,
    sts: stack.sts,
    trail: stack.trail,
    brokerExit: broker.exit,
    async stop() {
      await broker.stop();
      await stack.stop();
    },
  };
}

async function seedTable(endpoint: string): Promise<void> {
  const client = createDynamoDbClient({ region, endpoint, credentials });
  try {
    const mappings = new RoleMappingTable({
      client,
      tableName: table,
      rules: { matchableClaims: new Set(), guardrails: defaultGuardrails },
      clock: systemClock,
    });
    await mappings.create();
    if ((await mappings.head()) > 0) return;
    for (const input of [...seedMappings(), lapsedMapping()]) {
      const mapping = roleMappingSchema.parse(input);
      await mappings.write({
        id: mapping.id,
        expectedVersion: 'absent',
        mapping,
        actor: 'local stack',
        reason: 'first mappings of a new local stack',
      });
    }
  } finally {
    client.destroy();
  }
}

function brokerConfig(
  { issuer, sts, dynamodb, clients }: LocalStack,
  directory: string,
  offset: (step: number) => number,
): z.input<typeof configSchema> {
  const clientId = (wanted: string) =>
    clients.find(({ name }) => name === wanted)?.clientId ?? wanted;
  return {
    profile: 'development',
    listeners: {
      api: { port: offset(0) },
      admin: { port: offset(1) },
      ops: { port: offset(2) },
      identity: { port: offset(6) },
    },
    http: { drainSeconds: 0 },
    identity: {
      userPools: [
        {
          pool: localPool,
          issuer: issuer.url,
          jwksUri: issuer.jwksUri,
          clients: clients.map(({ clientId }) => clientId),
        },
      ],
    },
    keys: { directory: join(directory, 'keys') },
    policy: {
      table,
      region,
      endpoint: dynamodb.url,
      snapshotFile: join(directory, 'policy-snapshot.json'),
    },
    // For one role alone, so that there is something to approve and the rest can be played with by one person.
    guardrails: {
      approval: { when: 'widens', roles: [lapsedRole.slice(lapsedRole.lastIndexOf('/') + 1)] },
    },
    accessHelp: { contact: 'Alice or Bob, who are the administrators here' },
    sts: { endpoints: [{ region, endpoint: sts.url }] },
    webIdentity: { issuer: localIdentity.issuer, serveDocuments: true },
    audit: { directory: join(directory, 'audit') },
    admin: {
      pool: localPool,
      clients: [clientId('admin'), clientId('console')],
      groups: [adminGroup],
      // Programs as well: who has the secret of the client `admin` is an administrator.
      machines: true,
      console: { client: clientId('console'), signInUrl: issuer.origin },
    },
  };
}

interface Broker {
  readonly urls: Readonly<Record<'api' | 'admin' | 'ops' | 'identity', string>>;
  readonly exit: Promise<never>;
  stop(): Promise<void>;
}

async function startBroker(
  { directory, main, env }: LocalEnvironmentOptions,
  config: z.input<typeof configSchema>,
): Promise<Broker> {
  const configFile = join(directory, 'config.yaml');
  const readyFile = join(directory, 'broker-ready.json');
  const logFile = join(directory, 'broker.log');
  await replaceFile(configFile, configText(config));
  rmSync(readyFile, { force: true });
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(
    process.execPath,
    [main, 'serve', '--config', configFile, '--ready-file', readyFile],
    {
      stdio: ['ignore', log, log],
      env: {
        ...env,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_SESSION_TOKEN: undefined,
      },
    },
  );
  const exit = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(new Error(`the broker ended (${signal ?? `exit code ${code}`}); see ${logFile}`));
    });
  });
  // Whoever starts an environment may look at its end or not.
  exit.catch(() => undefined);
  try {
    const urls = await Promise.race([readWhenThere(readyFile), exit]);
    return { urls, exit, stop: () => stopChild(child) };
  } catch (error) {
    await stopChild(child);
    throw error;
  }
}

async function readWhenThere(file: string): Promise<Broker['urls']> {
  const deadline = systemClock.monotonic() + startTimeoutMs;
  while (systemClock.monotonic() < deadline) {
    const text = await readStateFile(file, { maxBytes: 64 * 1024 });
    if (text !== undefined) return JSON.parse(text.toString()) as Broker['urls'];
    await keepingAlive(sleep(systemClock, 20));
  }
  throw new Error(`the broker was not ready after ${startTimeoutMs / 1000} s`);
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const kill = systemClock.after(stopTimeoutMs, () => child.kill('SIGKILL'));
  child.kill('SIGTERM');
  await ended;
  kill.cancel();
}
