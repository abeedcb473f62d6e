/** The admin listener over the real stack: issuer, DynamoDB and audit log on this machine, everything else ours. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AttributeValue,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Express } from 'express';
import {
  type DynamoDbServer,
  startDynamoDbServer,
} from '../../emulators/dynamodb/dynamodb-server.ts';
import {
  type AccessTokenOptions,
  type Issuer,
  startIssuer,
} from '../../emulators/issuer/issuer.ts';
import { signJwt } from '../../emulators/issuer/jwt-signer.ts';
import { ChainedAuditLog } from '../../src/audit/audit-log.ts';
import { FileSink } from '../../src/audit/file-sink.ts';
import type { AdminAccess } from '../../src/core/admin-access.ts';
import { defaultGuardrails, type Guardrails } from '../../src/core/policy/guardrails.ts';
import { type RoleMappingInput, roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import { createDynamoDbClient } from '../../src/dynamodb/dynamodb-client.ts';
import { PolicySync } from '../../src/dynamodb/policy-sync.ts';
import { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import type { TableSeal } from '../../src/dynamodb/table-seal.ts';
import { type AdminAppOptions, adminApp } from '../../src/http/admin/admin-app.ts';
import { admission } from '../../src/http/admission.ts';
import { clientIp } from '../../src/http/client-ip.ts';
import { instrument } from '../../src/http/instrument.ts';
import { RefusalLog } from '../../src/http/refusal-log.ts';
import { startListener } from '../../src/http/server.ts';
import { JwksSource } from '../../src/identity/keys/jwks-source.ts';
import { userPool } from '../../src/identity/providers/user-pool.ts';
import { CognitoTokenValidator } from '../../src/identity/token-validator.ts';
import { knownPools } from '../../src/identity/trusted-issuers.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { signingKeys } from './outside-world.ts';
import { patientClock, patientTable } from './patience.ts';
import { createTestClock, type TestClock } from './test-clock.ts';

export const adminPool = 'us-east-1_Local0001';
export const otherPool = 'us-east-1_Other0001';
export const adminClient = '5admin0example0client0id00';
export const callerClient = '1orders0example0client0id0';
/** Of the documentation's examples; nobody has a token of theirs. */
const documentedClients = ['2reports0example0client0id', '3stranger0example0client0i'];
/** Its tokens have no audience, as Cognito issues them by itself. */
export const legacyClient = '4legacy0example0client0id0';
export const readScope = 'broker/admin.read';
export const writeScope = 'broker/admin.write';
export const freezeScope = 'broker/admin.freeze';
/** Why a mapping is replaced: another reason than it was created for. */
export const because = { 'change-reason': 'INC-1: the service moved' };
/** An administrator by her `sub`. */
export const adaSub = '7d8e2a5c-1111-4222-8333-944445555666';
/** Grace is an administrator because she is in this group. */
export const adminGroup = 'platform-admins';

export interface AdminRequest {
  /** Default: an administrator's, with every scope. Null: none. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown;
}

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
  readonly body: any;
}

export interface AdminHarness {
  readonly app: Express;
  readonly url: string;
  readonly clock: TestClock;
  readonly issuer: Issuer;
  readonly validator: CognitoTokenValidator;
  readonly table: RoleMappingTable;
  /** The same table, as a broker with other guardrails uses it, which lets mappings match one more claim. */
  readonly looserTable: RoleMappingTable;
  readonly policy: PolicySync;
  readonly audit: ChainedAuditLog;
  readonly dynamodb: DynamoDbServer;
  /** Around the listener, as somebody with write access to the table could. */
  putItem(item: Record<string, AttributeValue>): Promise<void>;
  getItem(key: Record<string, AttributeValue>): Promise<Record<string, AttributeValue> | undefined>;
  deleteItem(key: Record<string, AttributeValue>): Promise<void>;
  send(method: string, path: string, request?: AdminRequest): Promise<AdminAnswer>;
  /** Creates a mapping through the listener. */
  create(mapping: RoleMappingInput): Promise<AdminAnswer>;
  /** Replaces this version through the listener: by the mapping of the tests, with these changes. */
  replace(
    id: string,
    version: number,
    changes?: Partial<RoleMappingInput>,
    query?: string,
  ): Promise<AdminAnswer>;
  token(options?: Partial<AccessTokenOptions>): string;
  otherPoolToken(options?: Partial<AccessTokenOptions>): string;
  /** A token with exactly these claims, signed as the pool signs access tokens. */
  sign(claims: Readonly<Record<string, unknown>>): string;
  /** The audit log as it is on disk, without what it says about itself, and without who looked at what. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
  records(): any[];
  stop(): Promise<void>;
}

const client = (clientId: string, aud: 'client_id' | 'none' = 'client_id') => ({
  clientId,
  clientSecret: `secret of ${clientId}`,
  name: clientId,
  scopes: [readScope, writeScope, freezeScope],
  aud,
});

export interface AdminHarnessOptions {
  /** How long an edit of the table goes on trying. */
  readonly writeTimeoutMs?: number;
  /** Instead of those that configuration has by itself. */
  readonly guardrails?: Partial<Guardrails>;
  /** Instead of: Ada, the group of administrators, and machines. */
  readonly access?: Partial<AdminAccess>;
  readonly onBreakGlass?: AdminAppOptions['onBreakGlass'];
  /** Of the table `admin-test`; started. */
  readonly seal?: TableSeal;
}

export async function startAdmin({
  guardrails: ownGuardrails,
  access,
  onBreakGlass,
  seal,
  ...options
}: AdminHarnessOptions = {}): Promise<AdminHarness> {
  const clock = createTestClock();
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-admin-'));
  const keys = signingKeys();
  const clients = [client(adminClient), client(callerClient), client(legacyClient, 'none')];
  const user = (username: string, sub: string, groups: readonly string[]) => ({
    username,
    sub,
    groups,
  });
  const users = [
    user('ada', adaSub, ['billing']),
    user('grace', '7d8e2a5c-2222-4222-8333-944445555666', ['billing', adminGroup]),
    user('cleo', '7d8e2a5c-3333-4222-8333-944445555666', ['customers']),
    user('eve', '7d8e2a5c-5555-4222-8333-944445555666', ['auditors']),
    user('dan', '7d8e2a5c-4444-4222-8333-944445555666', []),
  ];
  const [dynamodb, issuer, otherIssuer] = await Promise.all([
    startDynamoDbServer({ clock: systemClock }),
    startIssuer({ clock, poolId: adminPool, clients, users, keys }),
    startIssuer({ clock, poolId: otherPool, clients, users, keys }),
  ]);
  const trusted = (pool: string, { url, jwksUri }: Issuer, further: readonly string[] = []) =>
    userPool.trust({
      pool,
      issuer: url,
      jwksUri,
      clients: [...clients.map(({ clientId }) => clientId), ...further],
      tokenUse: ['access', 'id'],
    });
  const issuers = [trusted(adminPool, issuer), trusted(otherPool, otherIssuer)];
  const source = new JwksSource({ issuers, clock });
  const guardrails = { ...defaultGuardrails, ...ownGuardrails };
  const accepted = (pool: string, from: Issuer) => trusted(pool, from, documentedClients);
  const rules = {
    matchableClaims: new Set(['custom:team']),
    guardrails,
    pools: knownPools([accepted(adminPool, issuer), accepted(otherPool, otherIssuer)]),
  };
  const { matchableClaims } = rules;
  const validator = new CognitoTokenValidator({ issuers, matchableClaims, keys: source, clock });
  const dynamoDbClient = createDynamoDbClient({
    region: 'us-east-1',
    endpoint: dynamodb.url,
    timeouts: patientTable,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const openTable = (claims: readonly string[], itsGuardrails: Guardrails) =>
    new RoleMappingTable({
      client: dynamoDbClient,
      tableName: 'admin-test',
      rules: { matchableClaims: new Set(claims), guardrails: itsGuardrails },
      // Pauses between tries are for a real server to recover.
      clock: patientClock,
      seal,
      ...options,
    });
  const table = openTable(['custom:team'], guardrails);
  await table.create({ pointInTimeRecovery: false, deletionProtection: false });
  const policy = new PolicySync({ table, rules, clock, seal });
  const audit = new ChainedAuditLog({
    durable: [
      new FileSink({ directory, clock: systemClock, version: '0.0.0', deadlineMs: 10_000 }),
    ],
  });
  await Promise.all([source.start(), audit.start(), policy.start()]);

  const metrics = createMetrics({ version: '0.0.0', revision: 'unknown', node: process.version });
  const app = adminApp({
    validator,
    access: () => ({
      pool: adminPool,
      clients: new Set([adminClient]),
      groups: new Set([adminGroup]),
      users: new Set([adaSub]),
      machines: true,
      maxTokenAgeSeconds: 3600,
      maxSignInAgeSeconds: undefined,
      requiredAmr: [],
      readScope,
      writeScope,
      freezeScope,
      ...access,
    }),
    store: table,
    proposals: table.proposals,
    onBreakGlass,
    policy,
    audit,
    decisions: {
      newestFirst: () => [],
      lastIssued: () => undefined,
      since: '2026-01-01T00:00:00.000Z',
    },
    status: () => Promise.reject(new Error('there is no whole instance here')),
    rules: () => rules,
    issuers: new Map(issuers.map(({ name: pool, issuer: iss }) => [pool, iss])),
    route: instrument({
      admit: admission({ allowedHosts: new Set() }),
      clock: systemClock,
      metrics,
      refusals: new RefusalLog({ logger: createLogger({ level: 'silent' }), clock }),
      clientIp: clientIp([]),
    }),
    clock,
  });
  const listener = await startListener({
    app,
    host: '127.0.0.1',
    port: 0,
    tls: undefined,
    maxConnections: 1000,
    clock: systemClock,
    signal: new AbortController().signal,
    onConnectionError: () => undefined,
  });
  const token = (options: Partial<AccessTokenOptions> = {}) =>
    issuer.issueAccessToken({ clientId: adminClient, ...options });

  const send: AdminHarness['send'] = async (method, path, request = {}) => {
    const { body, token: bearer = token() } = request;
    const headers = {
      ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...request.headers,
    };
    const response = await fetch(listener.url + path, {
      method,
      headers,
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  };

  return {
    app,
    url: listener.url,
    clock,
    issuer,
    validator,
    table,
    looserTable: openTable(['custom:team', 'custom:cost'], defaultGuardrails),
    policy,
    audit,
    dynamodb,
    async putItem(Item) {
      await dynamoDbClient.send(new PutItemCommand({ TableName: 'admin-test', Item }));
    },
    async getItem(Key) {
      const command = new GetItemCommand({ TableName: 'admin-test', Key });
      return (await dynamoDbClient.send(command)).Item;
    },
    async deleteItem(Key) {
      await dynamoDbClient.send(new DeleteItemCommand({ TableName: 'admin-test', Key }));
    },
    send,
    token,
    otherPoolToken: (options = {}) =>
      otherIssuer.issueAccessToken({ clientId: adminClient, ...options }),
    sign(claims) {
      const key = keys.current.access;
      return signJwt({ key, header: { kid: key.kid, alg: 'RS256' }, claims });
    },
    create: (mapping) =>
      send('PUT', `/v1/role-mappings/${mapping.id}`, {
        headers: { 'if-none-match': '*', 'change-reason': 'a test needs it' },
        body: mapping,
      }),
    replace: (id, version, changes, query = '') =>
      send('PUT', `/v1/role-mappings/${id}${query}`, {
        headers: { ...because, 'if-match': `"${version}"` },
        body: testMapping(id, changes),
      }),
    records: () =>
      readFileSync(join(directory, 'audit.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
        .filter(({ type }) => !/^(?:audit_|access$)/.test(String(type))),
    async stop() {
      await listener.close(0);
      await Promise.all([policy.stop(), source.stop(), audit.stop()]);
      dynamoDbClient.destroy();
      await Promise.all([dynamodb.stop(), issuer.stop(), otherIssuer.stop()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Its status and its code. */
export const refusal = ({ status, body }: AdminAnswer) => [status, body.code];

/** Where the `Link` header of a page says the next one is. */
export function nextPage({ headers }: AdminAnswer): string | undefined {
  const link = headers.get('link');
  return link === null ? undefined : /^<([^>]+)>; rel="next"$/.exec(link)?.[1];
}

export const testRole = 'arn:aws:iam::123456789012:role/broker/orders-writer';

/** A mapping that can work, for the caller's app client. */
export function testMapping(
  id: string,
  changes: Partial<RoleMappingInput> = {},
): ReturnType<typeof roleMappingSchema.parse> {
  return roleMappingSchema.parse({
    id,
    principal: { pool: adminPool, client: callerClient },
    effect: 'allow',
    role: testRole,
    owner: 'orders-team',
    ...changes,
  });
}
