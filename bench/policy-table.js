/** A local DynamoDB in a process of its own that holds many role mappings; prints its URL once it does. */

import { BatchWriteItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynamoDbServer } from '../dist/local/dynamodb/dynamodb-server.js';
import { clock, openTable, roleMappingOf, tableName } from './policy-under-test.js';

const rows = Number(process.argv[2]);
const itemsPerCall = 25;

const server = await startDynamoDbServer({ clock });
const { client, table } = openTable(server.url);
await table.create({ pointInTimeRecovery: false, deletionProtection: false });
for (let first = 0; first < rows; first += itemsPerCall) {
  await put(
    Array.from({ length: Math.min(itemsPerCall, rows - first) }, (_, at) => ({
      pk: { S: `MAPPING#${roleMappingOf(first + at).id}` },
      sk: { S: 'CURRENT' },
      version: { N: '1' },
      mapping: { S: JSON.stringify(roleMappingOf(first + at)) },
    })),
  );
}
await put([
  {
    pk: { S: 'HEAD' },
    sk: { S: 'HEAD' },
    revision: { N: String(rows) },
    mappings: { N: String(rows) },
  },
]);
client.destroy();
process.once('SIGTERM', () => server.stop());
console.log(server.url);

/** Around the transactions of an edit, which would take an hour for so many rows. */
async function put(items) {
  const requests = items.map((Item) => ({ PutRequest: { Item } }));
  await client.send(new BatchWriteItemCommand({ RequestItems: { [tableName]: requests } }));
}
