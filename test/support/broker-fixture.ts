/** The whole broker in this process, over a loopback issuer, STS and DynamoDB, with everything to steer it by. */

import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AttributeValue,
  BatchWriteItemCommand,
  type DynamoDBClient,
  ScanCommand,
} from '@aws-sdk/client-dynamodb';
import type { z } from 'zod';
import { configText } from '../../emulators/config-text.ts';
import type { AccessTokenOptions } from '../../emulators/issuer/issuer.ts';
import type { IssuerUser } from '../../emulators/issuer/issuer-claims.ts';
import { type Broker, type BrokerOptions, createBroker } from '../../src/broker/broker.ts';
import type { BrokerUrls } from '../../src/broker/listeners.ts';
import { servableConfigRereader } from '../../src/cli/read-config.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { defaultGuardrails } from '../../src/core/policy/guardrails.ts';
import { type RoleMappingInput, roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import type { AuditedRepeats } from '../../src/core/records/recorded-request.ts';
import { createDynamoDbClient } from '../../src/dynamodb/dynamodb-client.ts';
import { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import { type Clock, systemClock } from '../../src/kit/timing/clock.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import type { ListenerName } from './contract.ts';
import { type Answer, type Call, send } from './http-call.ts';
import { ordinaryProcess } from './ordinary-process.ts';
import {
  type ClientName,
  clients,
  defaultMappings,
  type OutsideWorld,
  type OutsideWorldOptions,
  pool,
  startOutsideWorld,
} from './outside-world.ts';
import { patientClock, patientTable } from './patience.ts';
import type { TestClock } from './test-clock.ts';
import { until } from './until.ts';

export type ConfigInput = z.input<typeof configSchema>;

export interface BrokerFixtureOptions {
  /** Default: the real one. A test clock stands still for the servers outside as well. */
  readonly clock?: TestClock;
  /** Of the real clock, instead of its own: for what must not happen by itself meanwhile. */
  readonly after?: Clock['after'];
  readonly mappings?: readonly RoleMappingInput[];
  readonly users?: readonly IssuerUser[];
  /** What mappings may match besides `sub` and `client_id`. */
  readonly matchableClaims?: readonly string[];
  readonly stsLatencyMs?: number;
  /** Gets what CloudTrail would record of STS. */
  readonly onStsEvent?: OutsideWorldOptions['onStsEvent'];
  readonly logLevel?: Config['log']['level'];
  /** The last word on the configuration. */
  readonly configure?: (config: ConfigInput) => ConfigInput;
  /** Runs when the world outside is there and the broker is not. */
  readonly beforeStart?: (outside: OutsideWorld) => void | Promise<void>;
  readonly timeouts?: BrokerOptions['timeouts'];
  /** Default: long ones. */
  readonly tableTimeouts?: BrokerOptions['tableTimeouts'];
  /** Default: none, for it is the tests that keep this process busy. */
  readonly eventLoopDelayMs?: () => number;
  /**
   * How long refusals that are alike share a record. Default 0: on the real clock each has one of its own, unless
   * they come at the same moment.
   */
  readonly refusalWindowMs?: number;
  readonly consoleDirectory?: string;
}

export interface LoggedEvent {
  readonly level: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

export interface AuditedRecord {
  readonly type: string;
  readonly seq: number;
  readonly requestId?: string;
  readonly outcome?: string;
  readonly code?: string;
  readonly repeats?: AuditedRepeats;
  readonly [field: string]: unknown;
}

export interface BrokerFixture extends OutsideWorld {
  readonly urls: BrokerUrls;
  /** Removed by `stop()`. */
  readonly directory: string;
  readonly auditDirectory: string;
  readonly table: RoleMappingTable;
  /** Everything logged so far, one line per event. */
  readonly logText: string;
  readonly logs: readonly LoggedEvent[];
  /** An access token; of the app client itself unless `user` is given. */
  token(client: ClientName, options?: Omit<AccessTokenOptions, 'clientId'>): string;
  /**
   * Sends a request and holds both it and the answer against openapi.yaml. Its User-Agent is one of its own unless
   * the call has one: equal denials of one client would share a record.
   */
  call(call: Call): Promise<Answer>;
  /** `POST /v1/credentials` of that client. */
  issue(client: ClientName, body?: unknown): Promise<Answer>;
  /** Everything on record, oldest first. */
  auditRecords(): readonly AuditedRecord[];
  /** The record of the request with that id, or the one that counts it; fails unless there is exactly one. */
  auditRecordOf(answer: Answer): AuditedRecord;
  /** Every series of the metrics page: `name{label="value"}` → value. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  /** Writes to the table as an administrator elsewhere would; resolves once this broker decides by it. */
  putMapping(mapping: RoleMappingInput): Promise<void>;
  /** What the broker was started with, written anew with those changes. */
  writeConfig(change: (config: ConfigInput) => ConfigInput): void;
  /** Where `writeConfig` writes. */
  readonly configFile: string;
  /** As SIGHUP does: the file is read again. Resolves when that is over, whatever came of it. */
  reload(): Promise<void>;
  /** Stops the broker only; `stop()` does so too. */
  stopBroker(): Promise<void>;
}

/** What the broker waits for between two looks at its configuration is not worth a test's time. */
const hasty: Clock = {
  ...systemClock,
  after: (ms, callback) => systemClock.after(ms / 25, callback),
};

const tableName = 'role-mappings';
const region = 'us-east-1';
const generous = { perSecond: 10_000, burst: 100_000 };

export async function startBrokerFixture(
  options: BrokerFixtureOptions = {},
): Promise<BrokerFixture> {
  const { mappings = defaultMappings, users = [], stsLatencyMs = 0 } = options;
  const { matchableClaims = [] } = options;
  const { after = patientClock.after } = options;
  const clock: Clock = options.clock ?? { ...patientClock, after };
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
  const roles = [...new Set(mappings.map(({ role }) => role))].filter((role) => role !== '*');
  const outside = await startOutsideWorld({
    clock,
    users,
    roles,
    stsLatencyMs,
    onStsEvent: options.onStsEvent,
  });
  const { table, client } = await seededTable(outside, clock, mappings, matchableClaims);
  const lines: string[] = [];
  let inForce: number | undefined;
  const onLine = (line: string) => {
    lines.push(line);
    inForce = appliedRevision(line) ?? inForce;
  };
  let broker: Broker | undefined;
  const stopBroker = async () => {
    if (broker !== undefined) await passTime(options.clock, broker.stop());
  };
  const stop = async () => {
    await stopBroker();
    client.destroy();
    await outside.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await options.beforeStart?.(outside);
    const usual = brokerConfig(outside, directory, matchableClaims);
    const byDefault = options.clock === undefined ? usual : unhurried(usual);
    const config = options.configure?.(byDefault) ?? byDefault;
    const configFile = join(directory, 'config.yaml');
    const source = { file: configFile, env: {}, runtime: ordinaryProcess };
    const running = createBroker({
      config: configSchema.parse(config),
      reread: servableConfigRereader(source, options.clock ?? hasty),
      build: { version: '0.0.0-test', revision: 'unknown', node: process.version },
      logger: createLogger({
        level: options.logLevel ?? 'debug',
        stream: { write: onLine },
      }),
      clock,
      eventLoopDelayMs: options.eventLoopDelayMs ?? (() => 0),
      tableTimeouts: options.tableTimeouts ?? patientTable,
      refusalWindowMs: options.refusalWindowMs ?? (options.clock === undefined ? 0 : 10_000),
      ...(options.consoleDirectory === undefined
        ? {}
        : { consoleDirectory: options.consoleDirectory }),
      ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
    });
    broker = running;
    const urls = await running.start();
    const reload = () => passTime(options.clock, running.reload('SIGHUP'));
    return fixture({
      outside,
      urls,
      directory,
      table,
      lines,
      inForce: () => inForce,
      config,
      configFile,
      reload,
      stopBroker,
      stop,
    });
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Parts {
  readonly outside: OutsideWorld;
  readonly urls: BrokerFixture['urls'];
  readonly directory: string;
  readonly table: RoleMappingTable;
  readonly lines: readonly string[];
  /** The revision of the policy that the broker decides by. */
  readonly inForce: () => number | undefined;
  readonly config: ConfigInput;
  readonly configFile: string;
  readonly reload: () => Promise<void>;
  readonly stopBroker: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

function fixture(parts: Parts): BrokerFixture {
  const { outside, urls, directory, table, lines, inForce, config, configFile } = parts;
  const { reload, stopBroker, stop } = parts;
  const auditDirectory = join(directory, 'audit');
  let calls = 0;
  const call = (one: Call) => {
    calls += 1;
    const headers = { 'user-agent': `test/${calls}`, ...one.headers };
    return send(urlOf(urls, one.listener ?? 'api'), { ...one, headers });
  };
  const token: BrokerFixture['token'] = (name, options) =>
    outside.issuer.issueAccessToken({ clientId: clients[name].clientId, ...options });
  const auditRecords = () =>
    linesIn(auditDirectory).map((line) => JSON.parse(line) as AuditedRecord);
  const metrics = async () => seriesOf((await call({ listener: 'ops', path: '/metrics' })).text);
  return {
    ...outside,
    urls,
    directory,
    auditDirectory,
    table,
    get logText() {
      return lines.join('');
    },
    get logs() {
      return lines.map((line) => JSON.parse(line) as LoggedEvent);
    },
    token,
    call,
    issue: (name, body) =>
      call({ method: 'POST', path: '/v1/credentials', token: token(name), body }),
    auditRecords,
    auditRecordOf({ requestId }) {
      const records = linesIn(auditDirectory)
        .filter((line) => line.includes(`"${requestId}"`))
        .map((line) => JSON.parse(line) as AuditedRecord)
        .filter((record) => idsOf(record).includes(requestId));
      if (records.length !== 1) throw new Error(`${records.length} audit records of one request`);
      return records[0] as AuditedRecord;
    },
    metrics,
    async putMapping(input) {
      const current = await table.get(input.id);
      const expected = current === undefined ? 'absent' : current.version;
      const { revision } = await write(table, input, expected);
      // To ask the broker until then would keep it busy with answers.
      await until(() => inForce() === revision);
    },
    configFile,
    writeConfig(change) {
      const whole = `${configFile}.new`;
      writeFileSync(whole, configText(change(config)));
      renameSync(whole, configFile);
    },
    reload,
    stopBroker,
    stop,
  };
}

/** What the log line says if it tells that another policy is in force. */
function appliedRevision(line: string): number | undefined {
  if (!line.includes('"policy applied"')) return undefined;
  return (JSON.parse(line) as { readonly revision: number }).revision;
}

/** A record of repeats has the id of the first denial, which has a record of its own. */
function idsOf({ requestId, repeats }: AuditedRecord): readonly (string | undefined)[] {
  return repeats?.requestIds ?? [requestId];
}

function urlOf(
  urls: Partial<Record<ListenerName, string | undefined>>,
  name: ListenerName,
): string {
  const url = urls[name];
  if (url === undefined) throw new Error(`there is no ${name} listener`);
  return url;
}

type Row = Record<string, AttributeValue>;

/** What `RoleMappingTable` has written, by what was to be written: rows are copied in a tenth of the time. */
const writtenBefore = new Map<string, readonly Row[]>();

/** DynamoDB takes so many rows at once. */
const batch = 25;

/** A new table with these mappings, as the broker itself writes them. */
export async function seededTable(
  { dynamodb }: OutsideWorld,
  clock: Clock,
  mappings: readonly RoleMappingInput[],
  matchableClaims: readonly string[] = [],
) {
  const client = createDynamoDbClient({ region, endpoint: dynamodb.url, timeouts: patientTable });
  const rules = { matchableClaims: new Set(matchableClaims), guardrails: defaultGuardrails };
  const table = new RoleMappingTable({ client, tableName, rules, clock });
  await table.create({ deletionProtection: false });
  // To the hour: a change from months ahead would be seen.
  const hour = Math.floor(clock.now() / 3_600_000);
  const contents = JSON.stringify([mappings, matchableClaims, hour]);
  const rows = writtenBefore.get(contents);
  if (rows === undefined) {
    for (const mapping of mappings) await write(table, mapping, 'absent');
    writtenBefore.set(contents, await rowsOf(client));
  } else {
    await putRows(client, rows);
  }
  return { table, client };
}

async function rowsOf(client: DynamoDBClient): Promise<readonly Row[]> {
  const { Items = [], LastEvaluatedKey } = await client.send(
    new ScanCommand({ TableName: tableName, ConsistentRead: true }),
  );
  if (LastEvaluatedKey !== undefined) throw new Error('too many mappings for one look');
  return Items;
}

async function putRows(client: DynamoDBClient, rows: readonly Row[]): Promise<void> {
  for (let at = 0; at < rows.length; at += batch) {
    const puts = rows.slice(at, at + batch).map((Item) => ({ PutRequest: { Item } }));
    await client.send(new BatchWriteItemCommand({ RequestItems: { [tableName]: puts } }));
  }
}

function write(
  table: RoleMappingTable,
  input: RoleMappingInput,
  expectedVersion: number | 'absent',
) {
  const mapping = roleMappingSchema.parse(input);
  return table.write({
    id: mapping.id,
    expectedVersion,
    mapping,
    actor: 'test',
    reason: 'made for a test',
  });
}

export function brokerConfig(
  { issuer, sts, dynamodb }: OutsideWorld,
  directory: string,
  matchableClaims: readonly string[] = [],
): ConfigInput {
  return {
    profile: 'development',
    listeners: { api: { port: 0 }, admin: { port: 0 }, ops: { port: 0 } },
    http: { drainSeconds: 0, shutdownSeconds: 1 },
    identity: {
      matchableClaims: [...matchableClaims],
      userPools: [
        {
          pool,
          issuer: issuer.url,
          jwksUri: issuer.jwksUri,
          clients: Object.values(clients).map(({ clientId }) => clientId),
        },
      ],
    },
    policy: { table: tableName, region, endpoint: dynamodb.url, pollSeconds: 0.1 },
    // Patient, as the audit log below is, because the machine may be busy: outages are made by the tests about them.
    sts: {
      endpoints: [{ region, endpoint: sts.url }],
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 10_000,
      totalTimeoutMs: 20_000,
    },
    audit: { directory: join(directory, 'audit'), deadlineMs: 10_000 },
    admin: { pool, clients: [clients.admin.clientId], machines: true },
    // Limits have tests of their own: how many requests a machine makes in a second is not to decide here.
    limits: { perCaller: generous, failedTokensPerAddress: generous },
  };
}

/** Of a clock that the test moves: it passes in no time what it does not have to look at ten times a second. */
function unhurried(config: ConfigInput): ConfigInput {
  return { ...config, policy: { ...config.policy, pollSeconds: 2 } };
}

/** The configuration without these app clients. */
export function withoutClients(
  ...names: readonly ClientName[]
): (config: ConfigInput) => ConfigInput {
  const gone: readonly string[] = names.map((name) => clients[name].clientId);
  return ({ identity, ...config }) => {
    const userPools = (identity.userPools as { clients: string[] }[]).map((entry) => ({
      ...entry,
      clients: entry.clients.filter((client) => !gone.includes(client)),
    })) as NonNullable<typeof identity.userPools>;
    return { ...config, identity: { ...identity, userPools } };
  };
}

/** Waits for work that waits for the clock, if that is a test clock. */
async function passTime(clock: TestClock | undefined, work: Promise<void>): Promise<void> {
  let done = false;
  const finished = work.finally(() => {
    done = true;
  });
  while (clock !== undefined && !done) {
    await clock.advance(100);
    // Disks have a clock of their own: so many calls of them are over before the next step.
    for (let calls = 0; calls < 10 && !done; calls += 1) await stat(tmpdir());
  }
  await finished;
}

export function linesIn(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .flatMap((name) => {
      const lines = readFileSync(join(directory, name), 'utf8').split('\n');
      // Behind the last line feed stands nothing, or a line that is being written.
      return lines.slice(0, -1);
    });
}

export function seriesOf(page: string): ReadonlyMap<string, number> {
  return new Map(
    page
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))] as const;
      }),
  );
}
