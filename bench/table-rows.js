/** Fills a table with role mappings, around the transactions of an edit, which would take an hour for many. */

import { BatchWriteItemCommand } from '@aws-sdk/client-dynamodb';

const rowsPerCall = 12;

/** `mappingOf` makes the mapping of each number below `count`. */
export async function fillTable({ client, tableName, count, mappingOf }) {
  for (let first = 0; first < count; first += rowsPerCall) {
    const rows = Math.min(rowsPerCall, count - first);
    await put(Array.from({ length: rows }, (_, at) => itemsOf(first + at)).flat());
  }
  const total = { N: String(count) };
  await put([{ pk: { S: 'HEAD' }, sk: { S: 'HEAD' }, revision: total, mappings: total }]);

  /** The row, and the entry in the change log without which no broker believes it. */
  function itemsOf(index) {
    const mapping = mappingOf(index);
    const text = { S: JSON.stringify(mapping) };
    const revision = index + 1;
    const facts = {
      version: { N: '1' },
      revision: { N: String(revision) },
      action: { S: 'create' },
    };
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

  async function put(items) {
    const requests = items.map((Item) => ({ PutRequest: { Item } }));
    await client.send(new BatchWriteItemCommand({ RequestItems: { [tableName]: requests } }));
  }
}
