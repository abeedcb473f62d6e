/** Folders of role mappings, the table that they are for, and the commands run on them with what they print. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  type DynamoDbServer,
  startDynamoDbServer,
} from '../../emulators/dynamodb/dynamodb-server.ts';
import { type MappingsApplyOptions, mappingsApply } from '../../src/cli/mappings-apply.ts';
import { mappingsExport } from '../../src/cli/mappings-export.ts';
import { mappingsPlan } from '../../src/cli/mappings-plan.ts';
import { mappingsUpdate } from '../../src/cli/mappings-update.ts';
import type { Output } from '../../src/cli/output.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';
import { defaultGuardrails } from '../../src/core/policy/guardrails.ts';
import type { RoleMapping } from '../../src/core/policy/role-mapping.ts';
import { roleMappingSchema } from '../../src/core/policy/role-mapping.ts';
import { createDynamoDbClient } from '../../src/dynamodb/dynamodb-client.ts';
import { toItem } from '../../src/dynamodb/role-mapping-item.ts';
import { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import type { ItemKey } from '../../src/dynamodb/table-calls.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { patientClock, patientTable } from './patience.ts';

export const pool = 'us-east-1_Local0001';
export const matchableClaims: readonly string[] = ['custom:team'];
export const rules = {
  matchableClaims: new Set(matchableClaims),
  guardrails: defaultGuardrails,
  /** Without a configuration nobody knows which there are. */
  pools: undefined,
};

const ids = [
  'added',
  'changed',
  'same',
  'a',
  'b',
  'c',
  'one',
  'two',
  'three',
  'new',
  'plain',
  'by-hand',
];
const denied = ['b-deny-changed', 'd-changed', 'e-denies-now', 'f-new', 'g-new-deny'];
/** App clients of the configuration: those of the mappings about which nobody is to be warned. */
export const mappedClients: readonly string[] = [...ids, ...denied].map((id) => `client-${id}`);
const clients = ['some-client', ...mappedClients];

/** A mapping as somebody would write it. */
export function mappingText(id: string, more = ''): string {
  return `id: ${id}
principal: { pool: ${pool}, client: client-${id} }
effect: allow
role: arn:aws:iam::123456789012:role/broker/${id}
owner: payments
${more}`;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What a command prints, and its exit code. */
export async function captured(run: (output: Output) => number | Promise<number>): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await run({
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

/** A terminal at which nobody sits, or one that answers everything alike. */
export function terminal(answer?: string | (() => Promise<string>)): Terminal {
  const ask = typeof answer === 'string' ? async () => answer : answer;
  return { colours: false, ask, showProgress: () => undefined };
}

export interface Folders {
  /** A new folder with these files, by path. */
  folder(files?: Readonly<Record<string, string | Uint8Array>>): string;
  /** A path at which nothing is yet. */
  path(name: string): string;
  link(folder: string, name: string, target: string): void;
  remove(): void;
}

export function temporaryFolders(): Folders {
  const root = mkdtempSync(join(tmpdir(), 'token-broker-mappings-'));
  let count = 0;
  return {
    folder(files = {}) {
      count += 1;
      const directory = join(root, `folder-${count}`);
      mkdirSync(directory);
      for (const [name, content] of Object.entries(files)) {
        const path = join(directory, name);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, content);
      }
      return directory;
    },
    path: (name) => join(root, name),
    link: (folder, name, target) => symlinkSync(target, join(folder, name)),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

export interface MappingStack {
  readonly server: DynamoDbServer;
  newTable(): Promise<TableUnderTest>;
  stop(): Promise<void>;
}

export interface PlanArguments {
  readonly owners?: readonly string[];
  readonly adopt?: boolean;
  readonly prune?: boolean;
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly out?: string;
}

export interface ApplyArguments extends PlanArguments {
  readonly plan?: string;
  readonly reason?: string;
  readonly yes?: boolean;
  readonly terminal?: Terminal;
  readonly tokenFile?: string;
  readonly auditDirectory?: string;
  /** Instead of that of the table. */
  readonly config?: Config;
}

export interface TableUnderTest {
  readonly config: Config;
  readonly table: RoleMappingTable;
  /** By id: what the table holds. */
  documents(): Promise<Record<string, RoleMapping>>;
  put(mapping: RoleMapping): Promise<void>;
  /** As the API writes what Git manages, for somebody who says --override; undefined deletes. */
  byHand(id: string, mapping: RoleMapping | undefined, reason?: string): Promise<void>;
  /** As somebody with write access to the table could: what is there says something else, under the seal that it has. */
  rewrite(key: ItemKey, says: Readonly<Record<string, object | string>>): Promise<void>;
  plan(directory: string, options?: PlanArguments): Promise<Ran>;
  /** Without a folder: of the plan that the options name. */
  apply(directory: string | undefined, options?: ApplyArguments): Promise<Ran>;
  export(directory?: string, owners?: readonly string[]): Promise<Ran>;
  update(directory: string, owners?: readonly string[]): Promise<Ran>;
}

const scopeOf = ({ owners = [], adopt = false, prune = false }: PlanArguments) => ({
  owners,
  adopt,
  prune,
});

export async function startMappingStack(): Promise<MappingStack> {
  const audits = mkdtempSync(join(tmpdir(), 'token-broker-apply-audit-'));
  const server = await startDynamoDbServer({ clock: systemClock });
  const client = createDynamoDbClient({
    region: 'us-east-1',
    endpoint: server.url,
    timeouts: patientTable,
  });
  let tables = 0;
  return {
    server,
    async newTable() {
      tables += 1;
      const name = `mappings-${tables}`;
      const config = configFor(name, server.url, join(audits, name));
      const tableName = config.policy.table;
      const table = new RoleMappingTable({ client, tableName, rules, clock: patientClock });
      await table.create();
      return underTest(config, table, client);
    },
    async stop() {
      client.destroy();
      await server.stop();
      rmSync(audits, { recursive: true, force: true });
    },
  };
}

export function configFor(table: string, endpoint: string, auditDirectory: string): Config {
  return configSchema.parse({
    profile: 'development',
    identity: {
      userPools: [{ pool, issuer: 'http://127.0.0.1:1/issuer', clients }],
      matchableClaims,
    },
    policy: { table, region: 'us-east-1', endpoint },
    sts: { endpoints: [{ region: 'us-east-1', endpoint: 'http://127.0.0.1:1' }] },
    audit: { directory: auditDirectory, deadlineMs: 10_000 },
  });
}

function underTest(
  config: Config,
  table: RoleMappingTable,
  client: DynamoDBClient,
): TableUnderTest {
  return {
    config,
    table,
    async documents() {
      const { rows } = await table.loadAll();
      return Object.fromEntries([...rows.values()].map(({ id, stored }) => [id, stored.mapping]));
    },
    async byHand(id, mapping, reason = 'INC-1: by hand') {
      const current = await table.get(id);
      await table.write({
        id,
        expectedVersion: current?.version ?? 'absent',
        mapping,
        actor: 'alice',
        actorProven: true,
        reason,
        override: true,
      });
    },
    async put(mapping) {
      const current = await table.get(mapping.id);
      await table.write({
        id: mapping.id,
        expectedVersion: current?.version ?? 'absent',
        mapping,
        actor: 'somebody else',
        reason: 'test',
      });
    },
    async rewrite(key, says) {
      const TableName = config.policy.table;
      const { Item } = await client.send(new GetItemCommand({ TableName, Key: toItem(key, {}) }));
      const texts = Object.entries(says).map(([name, value]) => [
        name,
        { S: typeof value === 'string' ? value : JSON.stringify(value) },
      ]);
      const forged = { ...Item, ...Object.fromEntries(texts) };
      await client.send(new PutItemCommand({ TableName, Item: forged }));
    },
    plan: (directory, options = {}) =>
      captured((output) =>
        mappingsPlan({
          directory,
          config,
          scope: scopeOf(options),
          json: options.json ?? false,
          markdown: options.markdown ?? false,
          out: options.out,
          output,
          terminal: terminal(),
        }),
      ),
    apply: (directory, options = {}) =>
      captured((output) =>
        mappingsApply({
          from: source(directory, options),
          config: options.config ?? config,
          scope: scopeOf(options),
          reason: options.reason ?? 'TEST-1',
          actor: 'cli:tester@host',
          tokenFile: options.tokenFile,
          auditDirectory: options.auditDirectory,
          version: '0.0.0',
          yes: options.yes ?? options.terminal === undefined,
          json: options.json ?? false,
          output,
          terminal: options.terminal ?? terminal(),
        }),
      ),
    update: (directory, owners = []) =>
      captured((output) =>
        mappingsUpdate({ config, directory, owners, output, terminal: terminal() }),
      ),
    export: (directory, owners = []) =>
      captured((output) =>
        mappingsExport({ config, directory, owners, output, terminal: terminal() }),
      ),
  };
}

function source(
  directory: string | undefined,
  options: ApplyArguments,
): MappingsApplyOptions['from'] {
  return directory === undefined
    ? { kind: 'plan', file: options.plan ?? '' }
    : { kind: 'folder', directory };
}

/** A mapping owned by Git, as the table holds it: everything that `fields` does not say is made up. */
export const row = (id: string, fields: object = {}) =>
  roleMappingSchema.parse({
    id,
    principal: { pool, client: `client-${id}` },
    effect: 'allow',
    role: `arn:aws:iam::123456789012:role/broker/${id}`,
    owner: 'payments',
    managedBy: 'git',
    ...fields,
  });
