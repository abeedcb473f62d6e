/** The table that a configuration names, for the commands that work with it from outside the broker. */

import { configuredSeal } from '../broker/configured/seal.ts';
import { mappingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import { createDynamoDbClient } from '../dynamodb/dynamodb-client.ts';
import type { LoadedMappings, LoadOptions } from '../dynamodb/mapping-loader.ts';
import { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import type { TableSeal } from '../dynamodb/table-seal.ts';
import { isDeeperThan } from '../kit/json/nesting.ts';
import { systemClock } from '../kit/timing/clock.ts';
import type { TableContents } from '../mapping-files/mapping-plan.ts';
import type { TableName } from '../mapping-files/saved-plan.ts';
import type { Terminal } from './terminal.ts';

/** Opens the table for as long as `use` takes; `seal` is that of its change log, undefined where the configuration has none. */
export async function withMappingTable<Result>(
  config: Config,
  use: (table: RoleMappingTable, seal: TableSeal | undefined) => Promise<Result>,
): Promise<Result> {
  const { table, region, endpoint } = config.policy;
  const client = createDynamoDbClient({ region, endpoint });
  const seal = configuredSeal(config, systemClock);
  try {
    const rules = mappingRules(config);
    const opened = { client, tableName: table, rules, clock: systemClock, seal };
    return await use(new RoleMappingTable(opened), seal);
  } finally {
    client.destroy();
    seal?.stop();
  }
}

/** @throws BrokerError `table_unavailable` */
export async function loadWithProgress(
  table: RoleMappingTable,
  terminal: Terminal,
  options?: LoadOptions,
): Promise<LoadedMappings> {
  terminal.showProgress('Reading the table …');
  try {
    return await table.loadAll(options);
  } finally {
    terminal.showProgress('');
  }
}

export function contentsOf({ revision, rows, quarantined }: LoadedMappings): TableContents {
  return {
    revision,
    rows: [
      ...[...rows.values()].map(({ id, version, stored }) => ({
        id,
        version,
        document: stored.mapping,
      })),
      ...quarantined.map(({ id, version, document }) => ({
        id,
        version,
        document: comparable(document),
      })),
    ],
  };
}

/** Twice what a mapping may have. */
const maxDepth = 32;

/** As stored; undefined where somebody has nested it so deep that comparing it would end the command (T384). */
export function comparable(document: unknown): unknown {
  return isDeeperThan(maxDepth, document) ? undefined : document;
}

export function tableNameOf({ policy }: Config): TableName {
  return { name: policy.table, region: policy.region, endpoint: policy.endpoint ?? null };
}
