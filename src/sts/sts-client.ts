import { STSClient } from '@aws-sdk/client-sts';
import { collectBounded } from '../aws/bounded-answers.ts';
import { hermeticSettings } from '../aws/hermetic-settings.ts';
import { requestTimeouts } from '../aws/request-timeouts.ts';
import { regionPattern } from '../core/aws-names.ts';
import { readRequestIdsOfDocuments } from './answer-request-id.ts';

export interface StsEndpoint {
  readonly region: string;
  /** URL, where it is not the public endpoint of the region: a VPC endpoint, a FIPS endpoint, a local server. */
  readonly endpoint?: string | undefined;
}

export interface StsClientOptions extends StsEndpoint {
  readonly connectTimeoutMs: number;
  readonly maxSockets: number;
}

const lostCallMs = 60_000;

/**
 * A client of one STS endpoint that makes single, unsigned, bounded calls.
 *
 * An endpoint from `AWS_ENDPOINT_URL_STS` would receive every caller's token (T34), and retries are the adapter's.
 */
export function createStsClient({
  region,
  endpoint,
  connectTimeoutMs,
  maxSockets,
}: StsClientOptions): STSClient {
  // "aws-global" and other names without a region of their own would make the SDK sign, so need credentials.
  if (!regionPattern.test(region)) {
    throw new RangeError('an STS endpoint needs the name of one AWS region');
  }
  const agent = { keepAlive: true, maxSockets };
  const client = new STSClient({
    ...hermeticSettings({ region, endpoint }),
    useGlobalEndpoint: false,
    sigv4aSigningRegionSet: [],
    // The operation is unsigned: the broker's own credentials have no business here.
    credentials: () => Promise.reject(new Error('AssumeRoleWithWebIdentity is never signed')),
    maxAttempts: 1,
    requestHandler: {
      // In real time, and until the first byte only: what ends a call is the adapter's deadline. This ends one whose
      // signal the SDK has lost.
      ...requestTimeouts(lostCallMs, connectTimeoutMs),
      httpAgent: agent,
      httpsAgent: agent,
    },
    streamCollector: collectBounded,
  });
  readRequestIdsOfDocuments(client);
  return client;
}
