/** Tables, as DynamoDB has them. */

import { type AwsEndpoint, hermeticSettings } from '../../aws/hermetic-settings.ts';
import type { Reading } from '../finding.ts';
import { clientLimits, givenText, type Questions } from './questions.ts';

export interface TableFacts {
  readonly arn: string;
  readonly status: string;
  /** `pk HASH`, sorted. */
  readonly keys: readonly string[];
  readonly deletionProtection: boolean;
}

export class Tables {
  readonly #questions: Questions;
  readonly #at: AwsEndpoint;

  constructor(questions: Questions, at: AwsEndpoint) {
    this.#questions = questions;
    this.#at = at;
  }

  table(name: string): Promise<Reading<TableFacts>> {
    return this.#questions.ask('dynamodb:DescribeTable', name, async (abortSignal) => {
      const { DescribeTableCommand } = await import('@aws-sdk/client-dynamodb');
      const client = await this.#client();
      const { Table } = await client.send(new DescribeTableCommand({ TableName: name }), {
        abortSignal,
      });
      const keys = (Table?.KeySchema ?? []).map((key) => `${key.AttributeName} ${key.KeyType}`);
      return {
        arn: givenText(Table?.TableArn),
        status: givenText(Table?.TableStatus),
        keys: keys.sort(),
        deletionProtection: Table?.DeletionProtectionEnabled === true,
      };
    });
  }

  pointInTimeRecovery(table: string): Promise<Reading<boolean>> {
    return this.#questions.ask('dynamodb:DescribeContinuousBackups', table, async (abortSignal) => {
      const { DescribeContinuousBackupsCommand } = await import('@aws-sdk/client-dynamodb');
      const client = await this.#client();
      const asked = new DescribeContinuousBackupsCommand({ TableName: table });
      const { ContinuousBackupsDescription } = await client.send(asked, { abortSignal });
      const recovery = ContinuousBackupsDescription?.PointInTimeRecoveryDescription;
      return recovery?.PointInTimeRecoveryStatus === 'ENABLED';
    });
  }

  #client() {
    return this.#questions.client('dynamodb', async () => {
      const { DynamoDBClient } = await import('@aws-sdk/client-dynamodb');
      return new DynamoDBClient({
        ...hermeticSettings(this.#at),
        ...clientLimits,
        endpointDiscoveryEnabled: false,
        accountIdEndpointMode: 'disabled',
      });
    });
  }
}
