import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { type AwsEndpoint, hermeticSettings } from './hermetic-settings.ts';
import { requestTimeouts } from './request-timeouts.ts';

export type S3 = typeof import('@aws-sdk/client-s3');

export interface S3ClientOptions extends AwsEndpoint {
  /** For one try of one call; there are two. */
  readonly requestTimeoutMs: number;
  /** Of answers that the SDK reads itself: lists and errors. */
  readonly streamCollector: NonNullable<S3ClientConfig['streamCollector']>;
}

/** Never give this client a `logger`: the SDK logs whole requests and answers. */
export function s3Client({ S3Client }: S3, options: S3ClientOptions): S3Client {
  const { region, endpoint, requestTimeoutMs, streamCollector } = options;
  return new S3Client({
    ...hermeticSettings({ region, endpoint }),
    // None of these is for the environment to say, or for the name of the bucket.
    useArnRegion: false,
    disableMultiregionAccessPoints: true,
    disableS3ExpressSessionAuth: true,
    sigv4aSigningRegionSet: [],
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 2,
    requestHandler: requestTimeouts(requestTimeoutMs),
    streamCollector,
  });
}
