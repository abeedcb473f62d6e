/** A local DynamoDB in a process of its own that holds many role mappings; prints its URL once it does. */

import { startDynamoDbServer } from '../build/emulators/dynamodb/dynamodb-server.js';
import { clock, openTable, roleMappingOf, tableName } from './policy-under-test.js';
import { fillTable } from './table-rows.js';

const server = await startDynamoDbServer({ clock });
const { client, table } = openTable(server.url);
await table.create({ pointInTimeRecovery: false, deletionProtection: false });
await fillTable({ client, tableName, count: Number(process.argv[2]), mappingOf: roleMappingOf });
client.destroy();
process.once('SIGTERM', () => server.stop());
console.log(server.url);
