/** What surrounds a broker, on loopback, each part behind a front that can be told to fail. */

import {
  type AttributeValue,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { IssuerClient } from '../emulators/issuer/issuer-claims.ts';
import { createIssuerKeys, type KeyHistory } from '../emulators/issuer/issuer-keys.ts';
import { signJwt } from '../emulators/issuer/jwt-signer.ts';
import { type Emulators, startEmulators, trustInIssuer } from '../emulators/outside-world.ts';
import type { StsFault } from '../emulators/sts/sts-fault.ts';
import type { StsServerOptions } from '../emulators/sts/sts-server.ts';
import { defaultGuardrails } from '../src/core/policy/guardrails.ts';
import { type RoleMappingInput, roleMappingSchema } from '../src/core/policy/role-mapping.ts';
import { createDynamoDbClient } from '../src/dynamodb/dynamodb-client.ts';
import { RoleMappingTable } from '../src/dynamodb/role-mapping-table.ts';
import { type Clock, systemClock } from '../src/kit/timing/clock.ts';
import { type Front, startFront } from './front.ts';

export const pool = 'us-east-1_Fault0001';
export const account = '123456789012';
export const region = 'us-east-1';
export const tableName = 'role-mappings';
const tokenSeconds = 43_200;

/** Who asks: the client itself, or a user of it. */
export interface CrowdCaller {
  readonly name: string;
  readonly subject: string;
  readonly token: string;
  /** The one role that the policy gives this caller; undefined: none. */
  readonly role: string | undefined;
}

/** What STS gave out, by its own account. */
export interface Issued {
  /** Whom the token was for, whoever issued it. */
  readonly subject: string;
  readonly role: string;
  readonly sessionName: string;
  readonly durationSeconds: number;
  readonly policy: string | undefined;
  /** Of the token that it was made with. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly at: number;
}

export interface WorldOptions {
  /** Of app client `crowd`. */
  readonly users?: number;
  /** Role mappings besides those of the callers. */
  readonly extraMappings?: number;
  readonly stsLatencyMs?: number;
  /** Gets what CloudTrail would record of STS. */
  readonly onStsEvent?: StsServerOptions['onEvent'];
}

export interface World extends Emulators {
  readonly fronts: {
    readonly sts: Front;
    /** The same STS, as another region. */
    readonly otherSts: Front;
    readonly dynamodb: Front;
    readonly jwks: Front;
  };
  readonly table: RoleMappingTable;
  readonly issued: ReadonlyMap<string, Issued>;
  /** Wall-clock offset of everything but the broker. */
  clockOffsetMs: number;
  readonly clientIds: readonly string[];
  readonly users: number;
  /** Those that the table has in the beginning. */
  readonly mappings: readonly RoleMappingInput[];
  /** App client with a mapping; new token each time it is made anew. */
  service(name: ServiceName): CrowdCaller;
  /** User number `index` of app client `crowd`. */
  user(index: number): CrowdCaller;
  /** A new token of the client, or of a user of it, that says this as well or instead. */
  tokenOf(
    name: ClientName,
    user: number | undefined,
    claims: Readonly<Record<string, unknown>>,
  ): { readonly token: string; readonly subject: string; readonly clientId: string };
  /** STS misbehaves; without an argument, no longer. */
  setStsFault(fault?: StsFault): void;
  /** Writes a row as it stands, past every check. */
  putRow(pk: string, sk: string, fields: Readonly<Record<string, RawValue>>): Promise<void>;
  /** The same, the other way. */
  removeRow(pk: string, sk: string): Promise<void>;
  /** The current rows of these mappings as they are now, to be put back later. */
  rowsOf(ids: readonly string[]): Promise<{ putBack(): Promise<void> }>;
}

type RawValue = { readonly S: string } | { readonly N: string };

const services = {
  orders: 'orders',
  reports: 'reports',
  stranger: undefined,
  operator: undefined,
} as const;
export type ServiceName = keyof typeof services;

export function roleNamed(name: string): string {
  return `arn:aws:iam::${account}:role/broker/${name}`;
}

function client(name: string): IssuerClient {
  return {
    clientId: `${name}0example0client`.padEnd(26, '0'),
    clientSecret: 'not-a-secret',
    name,
    scopes: ['faults/use'],
    aud: 'client_id',
  };
}

const clients = {
  orders: client('orders'),
  reports: client('reports'),
  stranger: client('stranger'),
  crowd: client('crowd'),
  /** An administrator who may freeze, and edit. */
  operator: { ...client('operator'), scopes: ['broker/admin.freeze', 'broker/admin.write'] },
} as const;
export type ClientName = keyof typeof clients;
const clientIds = Object.values(clients).map(({ clientId }) => clientId);

export function mappingOf(id: string, clientName: ClientName): RoleMappingInput {
  return {
    id,
    principal: { pool, client: clients[clientName].clientId },
    effect: 'allow',
    role: roleNamed(id),
    session: { name: '{sub}', maxDurationSeconds: 43_200 },
    owner: 'faults',
  };
}

/** Some for callers, and others so that losing a few is not losing most. */
function mappings(extra: number): RoleMappingInput[] {
  const others = Array.from({ length: extra }, (_, index) => ({
    ...mappingOf(`other-${index}`, 'orders'),
    principal: { pool, group: `group-${index}` },
  }));
  return [
    mappingOf('orders', 'orders'),
    mappingOf('reports', 'reports'),
    mappingOf('crowd', 'crowd'),
    ...others,
  ];
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { users = 20, extraMappings = 12, stsLatencyMs = 0, onStsEvent } = options;
  const offset = { ms: 0 };
  const clock: Clock = { ...systemClock, now: () => Date.now() + offset.ms };
  const started: { stop(): Promise<void> }[] = [];
  const begin = async <Part extends { stop(): Promise<void> }>(part: Promise<Part>) => {
    started.push(await part);
    return await part;
  };
  const keys = await signingKeys();
  const key = keys.current.access;
  const usernames = Array.from({ length: users }, (_, index) => `user-${index}`);
  const all = mappings(extraMappings);
  const outside = await begin(
    startEmulators({
      clock,
      issuer: {
        poolId: pool,
        clients: Object.values(clients),
        users: usernames.map((username, index) => ({
          username,
          sub: subjectAt(index),
          groups: [],
        })),
        keys,
      },
      sts: {
        latencyMs: stsLatencyMs,
        ...(onStsEvent === undefined ? {} : { onEvent: onStsEvent }),
      },
      accounts: [{ accountId: account, clientIds }],
      roles: (issuerUrl) =>
        ['orders', 'reports', 'crowd', 'late'].map((name) => ({
          arn: roleNamed(name),
          maxSessionDurationSeconds: 43_200,
          trustPolicy: trustOf(issuerUrl, clientIds),
        })),
    }),
  );
  const { issuer, sts, dynamodb } = outside;
  const issued = new Map<string, Issued>();
  const onCall: Parameters<typeof startFront>[0]['onCall'] = ({ body, answer }) => {
    const form = new URLSearchParams(body.toString());
    const accessKeyId = /<AccessKeyId>([^<]+)</.exec(answer?.toString() ?? '')?.[1];
    if (accessKeyId === undefined) return;
    const claims = claimsIn(form.get('WebIdentityToken') ?? '');
    issued.set(accessKeyId, {
      subject: subjectIn(claims),
      role: form.get('RoleArn') ?? '',
      sessionName: form.get('RoleSessionName') ?? '',
      durationSeconds: Number(form.get('DurationSeconds')),
      policy: form.get('Policy') ?? undefined,
      claims,
      at: performance.now(),
    });
  };
  const fronts = {
    sts: await begin(startFront({ upstream: sts.url, onCall })),
    otherSts: await begin(startFront({ upstream: sts.url, onCall })),
    dynamodb: await begin(startFront({ upstream: dynamodb.url })),
    jwks: await begin(startFront({ upstream: issuer.origin })),
  };
  const dynamodbClient = createDynamoDbClient({
    region,
    endpoint: dynamodb.url,
    credentials: { accessKeyId: 'faults', secretAccessKey: 'faults' },
  });
  const table = await seededTable(dynamodbClient, clock, all);
  const people = new Map<number, { readonly caller: CrowdCaller; readonly madeAt: number }>();

  return {
    ...outside,
    fronts,
    table,
    issued,
    clientIds,
    users,
    mappings: all,
    get clockOffsetMs() {
      return offset.ms;
    },
    set clockOffsetMs(ms) {
      offset.ms = ms;
    },
    service: (name) => ({
      name,
      subject: clients[name].clientId,
      token: issuer.issueAccessToken({
        clientId: clients[name].clientId,
        expiresInSeconds: tokenSeconds,
      }),
      role: services[name] === undefined ? undefined : roleNamed(name),
    }),
    user(index) {
      const number = index % users;
      const made = people.get(number);
      if (made !== undefined && clock.now() - made.madeAt < tokenSeconds * 500) return made.caller;
      const caller = {
        name: `user ${number}`,
        subject: subjectAt(number),
        token: issuer.issueAccessToken({
          clientId: clients.crowd.clientId,
          user: `user-${number}`,
          expiresInSeconds: tokenSeconds,
        }),
        role: roleNamed('crowd'),
      };
      people.set(number, { caller, madeAt: clock.now() });
      return caller;
    },
    tokenOf(name, user, claims) {
      const { clientId } = clients[name];
      const usual = issuer.issueAccessToken({
        clientId,
        expiresInSeconds: tokenSeconds,
        ...(user === undefined ? {} : { user: `user-${user}` }),
      });
      const all = { ...claimsIn(usual), ...claims };
      const header = { kid: key.kid, alg: 'RS256' } as const;
      const token = signJwt({ key, header, claims: all });
      return { token, subject: String(all['sub']), clientId };
    },
    setStsFault: (fault) => sts.setFault(fault),
    async putRow(pk, sk, fields) {
      const Item = { pk: { S: pk }, sk: { S: sk }, ...fields };
      await dynamodbClient.send(new PutItemCommand({ TableName: tableName, Item }));
    },
    async removeRow(pk, sk) {
      const Key = { pk: { S: pk }, sk: { S: sk } };
      await dynamodbClient.send(new DeleteItemCommand({ TableName: tableName, Key }));
    },
    async rowsOf(ids) {
      const items: Record<string, AttributeValue>[] = [];
      for (const id of ids) {
        const Key = { pk: { S: `MAPPING#${id}` }, sk: { S: 'CURRENT' } };
        const get = new GetItemCommand({ TableName: tableName, Key, ConsistentRead: true });
        const { Item } = await dynamodbClient.send(get);
        if (Item !== undefined) items.push(Item);
      }
      return {
        async putBack() {
          for (const Item of items) {
            await dynamodbClient.send(new PutItemCommand({ TableName: tableName, Item }));
          }
        },
      };
    },
    async stop() {
      dynamodbClient.destroy();
      await Promise.all(started.reverse().map((part) => part.stop()));
    },
  };
}

export function clientIdOf(name: ClientName): string {
  return clients[name].clientId;
}

export function subjectAt(index: number): string {
  return `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
}

/** The broker's own tokens name pool and kind as well. */
function subjectIn(claims: Readonly<Record<string, unknown>>): string {
  return String(claims['sub']).replace(/^[^/]+\/(?:client|user|identity)\//, '');
}

/** Without a look at the signature. */
export function claimsIn(token: string): Readonly<Record<string, unknown>> {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  return JSON.parse(payload) as Readonly<Record<string, unknown>>;
}

/** For tokens of one of these audiences; with `amr`, only for those that have it. */
export function trustOf(issuer: string, audiences: readonly string[], amr?: string) {
  return trustInIssuer({ accountId: account, issuer, audiences, amr });
}

async function seededTable(
  dynamodb: DynamoDBClient,
  clock: Clock,
  all: readonly RoleMappingInput[],
): Promise<RoleMappingTable> {
  const rules = { matchableClaims: new Set<string>(), guardrails: defaultGuardrails };
  const table = new RoleMappingTable({ client: dynamodb, tableName, rules, clock });
  await table.create({ deletionProtection: false });
  for (const mapping of all) await writeMapping(table, mapping);
  return table;
}

/** Creates the mapping or replaces it. */
export async function writeMapping(
  table: RoleMappingTable,
  input: RoleMappingInput,
): Promise<void> {
  const mapping = roleMappingSchema.parse(input);
  const current = await table.get(mapping.id);
  await table.write({
    id: mapping.id,
    expectedVersion: current?.version ?? 'absent',
    mapping,
    actor: 'faults',
    reason: 'made for the fault laboratory',
  });
}

let made: Promise<KeyHistory> | undefined;

/** Made once: it takes long. */
function signingKeys(): Promise<KeyHistory> {
  const given = process.env['TEST_SIGNING_KEYS'];
  made ??=
    given === undefined ? createIssuerKeys() : Promise.resolve(JSON.parse(given) as KeyHistory);
  return made;
}
