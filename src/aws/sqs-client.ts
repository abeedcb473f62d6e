import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import { hermeticSettings } from './hermetic-settings.ts';
import { requestTimeouts } from './request-timeouts.ts';

export type Sqs = typeof import('@aws-sdk/client-sqs');

export interface SqsClientOptions {
  readonly region: string;
  /** Origin of the queue's URL. */
  readonly endpoint: string;
  /** For one try of one call; there are two. Longer than any call waits for messages. */
  readonly requestTimeoutMs: number;
  readonly streamCollector: NonNullable<SQSClientConfig['streamCollector']>;
}

/** Never give this client a `logger`: the SDK logs whole requests and answers. */
export function sqsClient({ SQSClient }: Sqs, options: SqsClientOptions): SQSClient {
  const { region, endpoint, requestTimeoutMs, streamCollector } = options;
  return new SQSClient({
    ...hermeticSettings({ region, endpoint }),
    useQueueUrlAsEndpoint: false,
    maxAttempts: 2,
    requestHandler: requestTimeouts(requestTimeoutMs),
    streamCollector,
  });
}
