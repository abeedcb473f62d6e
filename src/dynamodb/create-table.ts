/** Makes the table, in local mode and on first installation. Production may as well use infrastructure code. */

import {
  CreateTableCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  type KeySchemaElement,
  ResourceInUseException,
  UpdateContinuousBackupsCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { type TableCalls, tableUnavailable } from './table-calls.ts';

export interface TableProtection {
  /** Restores to any second of the last 35 days. Default true. */
  readonly pointInTimeRecovery?: boolean;
  /** Default true. */
  readonly deletionProtection?: boolean;
}

interface CreateTableParts extends TableProtection {
  readonly client: DynamoDBClient;
  readonly calls: TableCalls;
}

const readyTimeoutSeconds = 60;

/** A table that exists is left as it is. @throws BrokerError `table_unavailable` */
export async function createTable({
  client,
  calls,
  pointInTimeRecovery = true,
  deletionProtection = true,
}: CreateTableParts): Promise<void> {
  const created = await createUnlessExists(client, calls, deletionProtection);
  await waitUntilReady(client, calls.tableName);
  if (!created) {
    await requireOurKeys(client, calls);
    return;
  }
  if (!pointInTimeRecovery) return;
  const command = new UpdateContinuousBackupsCommand({
    TableName: calls.tableName,
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
  });
  await calls.read('UpdateContinuousBackups', (abortSignal) =>
    client.send(command, { abortSignal }),
  );
}

async function createUnlessExists(
  client: DynamoDBClient,
  calls: TableCalls,
  deletionProtection: boolean,
): Promise<boolean> {
  const command = new CreateTableCommand({
    TableName: calls.tableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'sk', AttributeType: 'S' },
    ],
    KeySchema: [...ourKeys],
    ...(deletionProtection ? { DeletionProtectionEnabled: true } : {}),
  });
  return await calls.read('CreateTable', async (abortSignal) => {
    try {
      await client.send(command, { abortSignal });
      return true;
    } catch (error) {
      if (error instanceof ResourceInUseException) return false;
      throw error;
    }
  });
}

const ourKeys: readonly KeySchemaElement[] = [
  { AttributeName: 'pk', KeyType: 'HASH' },
  { AttributeName: 'sk', KeyType: 'RANGE' },
];

async function waitUntilReady(client: DynamoDBClient, tableName: string): Promise<void> {
  try {
    const limits = { client, maxWaitTime: readyTimeoutSeconds, minDelay: 1, maxDelay: 2 };
    await waitUntilTableExists(limits, { TableName: tableName });
  } catch (error) {
    throw tableUnavailable(error, 'The new table did not become active within a minute.');
  }
}

async function requireOurKeys(client: DynamoDBClient, calls: TableCalls): Promise<void> {
  const command = new DescribeTableCommand({ TableName: calls.tableName });
  const { Table: table } = await calls.read('DescribeTable', (abortSignal) =>
    client.send(command, { abortSignal }),
  );
  const found = (table?.KeySchema ?? []).map((key) => `${key.AttributeName} ${key.KeyType}`);
  const wanted = ourKeys.map((key) => `${key.AttributeName} ${key.KeyType}`);
  if (found.sort().join() === wanted.sort().join()) return;
  throw tableUnavailable(
    undefined,
    'A table of this name exists, but its keys are not pk and sk. Choose another table name.',
  );
}
