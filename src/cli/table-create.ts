/** `table create`: makes the role-mapping table that the configuration names. */

import { mappingRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import { createDynamoDbClient } from '../dynamodb/dynamodb-client.ts';
import { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import { systemClock } from '../kit/timing/clock.ts';
import { exitCodes, type Output } from './output.ts';

export async function tableCreate(config: Config, output: Output): Promise<number> {
  const { table, region, endpoint } = config.policy;
  const client = createDynamoDbClient({ region, endpoint });
  try {
    output.err(`Creating table ${table} in ${region} …\n`);
    await new RoleMappingTable({
      client,
      tableName: table,
      rules: mappingRules(config),
      clock: systemClock,
    }).create({ pointInTimeRecovery: true, deletionProtection: true });
    output.out(`${table}: ready\n`);
    return exitCodes.ok;
  } finally {
    client.destroy();
  }
}
