import {
  type AttributeValue,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  type DynamoDbServer,
  startDynamoDbServer,
} from '../../emulators/dynamodb/dynamodb-server.ts';
import type { AwsEndpoint } from '../../src/aws/hermetic-settings.ts';
import { defaultGuardrails } from '../../src/core/policy/guardrails.ts';
import { checkRoleMapping, type MappingRules } from '../../src/core/policy/mapping-check.ts';
import type { RoleMapping, RoleMappingInput } from '../../src/core/policy/role-mapping.ts';
import { createDynamoDbClient } from '../../src/dynamodb/dynamodb-client.ts';
import { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import { type Anchor, readAnchor, unprovenSeal } from '../../src/dynamodb/seal-anchor.ts';
import type { TableSeal } from '../../src/dynamodb/table-seal.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';

export const rules: MappingRules = {
  matchableClaims: new Set(['custom:team']),
  guardrails: defaultGuardrails,
};
export const pool = 'us-east-1_AbCdEf123';
/** Of the first thousand entries of the change log. */
export const logPk = 'CHANGES#000000000000000';
export const skOf = (revision: number) => String(revision).padStart(15, '0');

const hastyTimeoutMs = 300;
/** No guarantee depends on it: the machine may be busy. */
const patientTimeoutMs = 15_000;
/** Among many editors each has to try again and again. */
const stormTimeoutMs = 120_000;

export interface TableFixture {
  readonly server: DynamoDbServer;
  /** A fresh, empty table. */
  table(): Promise<TestTable>;
  stop(): Promise<void>;
}

export interface TestTable {
  /** Patient, because the machine may be busy. */
  readonly table: RoleMappingTable;
  /** The same one, which gives up soon: for servers that never answer. */
  readonly hasty: RoleMappingTable;
  /** As another process sees the same table. */
  another(seal?: TableSeal, under?: MappingRules): RoleMappingTable;
  /** One of the same name elsewhere. */
  elsewhere(place: Partial<AwsEndpoint>): RoleMappingTable;
  readonly name: string;
  create(mapping: RoleMapping): Promise<void>;
  /** Around the API, as somebody with write access to the table could. */
  putRaw(item: Readonly<Record<string, string | number>>): Promise<void>;
  /** Whole items as they were read. */
  putItem(item: Record<string, AttributeValue>): Promise<void>;
  /** An edit with all that belongs to it, of whatever text, as another release might make it. */
  editRaw(id: string, text: string, version: number): Promise<void>;
  deleteRaw(pk: string, sk: string): Promise<void>;
  getRaw(pk: string, sk: string): Promise<Record<string, AttributeValue> | undefined>;
}

export async function startTableFixture(): Promise<TableFixture> {
  const server = await startDynamoDbServer({ clock: systemClock });
  const clients: DynamoDBClient[] = [];
  let tables = 0;
  const connect = (timeoutMs: number, place: Partial<AwsEndpoint> = {}) => {
    const client = createDynamoDbClient({
      region: 'us-east-1',
      endpoint: server.url,
      ...place,
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' },
      timeouts: { connectionTimeoutMs: timeoutMs, requestTimeoutMs: timeoutMs },
      maxAttempts: 1,
    });
    clients.push(client);
    return client;
  };
  return {
    server,
    async table() {
      tables += 1;
      const tableName = `role-mappings-${tables}`;
      const client = connect(patientTimeoutMs);
      const patient = { callTimeoutMs: patientTimeoutMs };
      const shared = { tableName, rules, clock: systemClock };
      const table = new RoleMappingTable({
        ...shared,
        ...patient,
        client,
        writeTimeoutMs: patientTimeoutMs,
      });
      await table.create();
      return {
        table,
        hasty: new RoleMappingTable({
          ...shared,
          client: connect(hastyTimeoutMs),
          writeTimeoutMs: 2_000,
        }),
        name: tableName,
        another: (seal, under = rules) =>
          new RoleMappingTable({
            ...shared,
            ...patient,
            rules: under,
            seal,
            client: connect(patientTimeoutMs),
            writeTimeoutMs: stormTimeoutMs,
          }),
        elsewhere: (place) =>
          new RoleMappingTable({ ...shared, ...patient, client: connect(patientTimeoutMs, place) }),
        ...rawAccess(client, tableName, table),
      };
    },
    async stop() {
      for (const client of clients) client.destroy();
      await server.stop();
    },
  };
}

function rawAccess(client: DynamoDBClient, tableName: string, table: RoleMappingTable) {
  const keyOf = (pk: string, sk: string) => ({ pk: { S: pk }, sk: { S: sk } });
  const putItem = async (Item: Record<string, AttributeValue>) => {
    await client.send(new PutItemCommand({ TableName: tableName, Item }));
  };
  const putRaw = async (item: Readonly<Record<string, string | number>>) => {
    const attributes = Object.entries(item).map(([name, value]) => [
      name,
      typeof value === 'number' ? { N: String(value) } : { S: value },
    ]);
    await putItem(Object.fromEntries(attributes) as Record<string, AttributeValue>);
  };
  return {
    async create(mapping: RoleMapping) {
      await table.write({
        id: mapping.id,
        expectedVersion: 'absent',
        mapping,
        actor: 'alice',
        reason: 'test',
      });
    },
    putRaw,
    putItem,
    async editRaw(id: string, text: string, version: number) {
      const command = new GetItemCommand({ TableName: tableName, Key: keyOf('HEAD', 'HEAD') });
      const { Item: head } = await client.send(command);
      const revision = Number(head?.['revision']?.N ?? 0) + 1;
      const mappings = Number(head?.['mappings']?.N ?? 0) + (version === 1 ? 1 : 0);
      const facts = {
        version,
        revision,
        action: version === 1 ? 'create' : 'replace',
        updatedAt: '2026-01-01T00:00:00.000Z',
        updatedBy: 'alice',
        reason: 'test',
      };
      const history = `V#${String(version).padStart(10, '0')}`;
      await putRaw({ pk: `MAPPING#${id}`, sk: history, ...facts, mapping: text });
      await putRaw({ pk: logPk, sk: skOf(revision), id, ...facts, after: text });
      await putRaw({ pk: `MAPPING#${id}`, sk: 'CURRENT', ...facts, mapping: text });
      await putRaw({ pk: 'HEAD', sk: 'HEAD', revision, mappings });
    },
    async deleteRaw(pk: string, sk: string) {
      await client.send(new DeleteItemCommand({ TableName: tableName, Key: keyOf(pk, sk) }));
    },
    async getRaw(pk: string, sk: string) {
      const command = new GetItemCommand({ TableName: tableName, Key: keyOf(pk, sk) });
      return (await client.send(command)).Item;
    },
  };
}

/** A whole, valid mapping: allows the app client `client-<id>` the role `<id>` unless told otherwise. */
export function mapping(id: string, fields: Partial<RoleMappingInput> = {}): RoleMapping {
  const check = checkRoleMapping(
    {
      id,
      principal: { pool, client: `client-${id}` },
      effect: 'allow',
      role: `arn:aws:iam::123456789012:role/broker/${id}`,
      owner: 'payments-platform',
      ...fields,
    },
    rules,
  );
  if (check.kind === 'invalid') throw new Error(JSON.stringify(check.faults));
  return check.mapping;
}

/** Denies this app client every role. */
export function denial(
  id: string,
  client: string,
  fields: Partial<RoleMappingInput> = {},
): RoleMapping {
  return mapping(id, { principal: { pool, client }, effect: 'deny', role: '*', ...fields });
}

/** The log of the table as it stands, for seals that begin or go on behind it; undefined for an empty one. */
export async function anchorOf(
  { table, name }: Pick<TestTable, 'table' | 'name'>,
  sealName = name,
): Promise<Anchor | undefined> {
  const found = await readAnchor(table, await table.loadAll(), unprovenSeal(sealName));
  if (found.kind === 'found') return found.anchor;
  if (found.kind === 'empty') return undefined;
  throw new Error(`no anchor: ${found.kind}`);
}

export function ids(count: number, prefix = 'row'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}
