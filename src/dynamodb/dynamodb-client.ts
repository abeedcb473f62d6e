/** The DynamoDB client of the role-mapping table: the SDK's own defaults wait for ever, these do not. */

import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { type AwsEndpoint, hermeticSettings } from '../aws/hermetic-settings.ts';
import { requestTimeouts } from '../aws/request-timeouts.ts';

export interface DynamoDbTimeouts {
  /** For the TCP and TLS handshake of one try. */
  readonly connectionTimeoutMs: number;
  /** For the whole of one try. */
  readonly requestTimeoutMs: number;
}

export interface DynamoDbClientOptions extends AwsEndpoint {
  /** Default: the SDK's chain (container or instance role, web identity, profile). */
  readonly credentials?: NonNullable<DynamoDBClientConfig['credentials']>;
  readonly timeouts?: DynamoDbTimeouts | undefined;
  /** Tries of one call inside the SDK. The callers have retries of their own, so few. */
  readonly maxAttempts?: number;
}

const defaultTimeouts: DynamoDbTimeouts = { connectionTimeoutMs: 1_000, requestTimeoutMs: 2_000 };

/** Never give this client a `logger`: the SDK logs whole requests and answers. */
export function createDynamoDbClient({
  region,
  endpoint,
  credentials,
  timeouts = defaultTimeouts,
  maxAttempts = 2,
}: DynamoDbClientOptions): DynamoDBClient {
  return new DynamoDBClient({
    ...hermeticSettings({ region, endpoint }),
    // Either would replace the host of the endpoint: by one that the service names, or by one of the credentials' account.
    endpointDiscoveryEnabled: false,
    accountIdEndpointMode: 'disabled',
    maxAttempts,
    requestHandler: requestTimeouts(timeouts.requestTimeoutMs, timeouts.connectionTimeoutMs),
    ...(credentials === undefined ? {} : { credentials }),
  });
}
