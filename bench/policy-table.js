/** A local DynamoDB in a process of its own that holds many role mappings; prints its URL once it does. */

import { BatchWriteItemCommand } from '@aws-sdk/client-dynamodb';
import { startDynamoDbServer } from '../build/emulators/dynamodb/dynamodb-server.js';
import { clock, openTable, roleMappingOf, tableName } from './policy-under-test.js';

const rows = Number(process.argv[2]);
const rowsPerCall = 12;

const server = await startDynamoDbServer({ clock });
const { client, table } = openTable(server.url);
await table.create({ pointInTimeRecovery: false, deletionProtection: false });
for (let first = 0; first < rows; first += rowsPerCall) {
  const count = Math.min(rowsPerCall, rows - first);
  await put(Array.from({ length: count }, (_, at) => itemsOf(first + at)).flat());
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

/** The row, and the entry in the change log without which no broker believes it. */
function itemsOf(index) {
  const mapping = roleMappingOf(index);
  const text = { S: JSON.stringify(mapping) };
  const revision = index + 1;
  const facts = { version: { N: '1' }, revision: { N: String(revision) }, action: { S: 'create' } };
  const bucket = String(Math.floor(index / 1000)).padStart(15, '0');
  return [
    { pk: { S: `MAPPING#${mapping.id}` }, sk: { S: 'CURRENT' }, ...facts, mapping: text },
    {
      pk: { S: `CHANGES#${bucket}` },
      sk: { S: String(revision).padStart(15, '0') },
      id: { S: mapping.id },
      ...facts,
      after: text,
    },
  ];
}

/** Around the transactions of an edit, which would take an hour for so many rows. */
async function put(items) {
  const requests = items.map((Item) => ({ PutRequest: { Item } }));
  await client.send(new BatchWriteItemCommand({ RequestItems: { [tableName]: requests } }));
}
