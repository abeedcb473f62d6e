/** A queue that tells of files in a bucket, and a watcher that follows it: the real SDK, the local S3 and the local SQS. */

import { createServer } from 'node:http';
import { closeServer, listenOnLoopback, staysOpen } from '../../emulators/loopback-http.ts';
import { type S3Server, startS3Server } from '../../emulators/s3/s3-server.ts';
import { type SqsServer, startSqsServer } from '../../emulators/sqs/sqs-server.ts';
import type { CloudTrailWatchOptions } from '../../src/cli/cloudtrail-watch.ts';
import { withEnvironment } from '../support/with-environment.ts';
import { event, trailFile } from './trail-fixture.ts';
import {
  minute,
  noon,
  type Place,
  place,
  record,
  stopWatchers,
  type Watcher,
  watch,
} from './watcher-fixture.ts';

export const bucket = 'org-trail';
const credentials = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' };

export let s3: S3Server;
export let sqs: SqsServer;
export let where: Place;
/** Of one test. */
export const alsoOpen: (() => Promise<void>)[] = [];

/** Before each test; the variables above are its own. */
export async function openQueue(): Promise<void> {
  where = place();
  await record(where.audit, 'A', noon - 60 * minute);
  s3 = await startS3Server({ clock: where.clock, bucket, owner: '111122223333' });
  sqs = await startSqsServer({ clock: where.clock });
}

export async function closeQueue(): Promise<void> {
  await stopWatchers();
  for (const stop of alsoOpen.splice(0)) await stop();
  await s3.stop();
  await sqs.stop();
}

export function put(key: string, body: Buffer | string): string {
  s3.objects.put(key, { body: Buffer.from(body), lock: undefined, onlyIfAbsent: false });
  return key;
}

/** In the form of S3's event notifications. */
export const created = (key: string, inBucket = bucket) => ({
  Records: [
    {
      eventVersion: '2.1',
      eventSource: 'aws:s3',
      awsRegion: 'us-east-1',
      eventName: 'ObjectCreated:Put',
      s3: {
        s3SchemaVersion: '1.0',
        bucket: { name: inBucket, arn: `arn:aws:s3:::${inBucket}` },
        object: { key: encodeURIComponent(key).replaceAll('%20', '+'), size: 1024 },
      },
    },
  ],
});
export const inEnvelope = (message: unknown) => ({
  Type: 'Notification',
  MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
  TopicArn: 'arn:aws:sns:us-east-1:123456789012:trail',
  Message: typeof message === 'string' ? message : JSON.stringify(message),
});
export const send = (message: unknown) =>
  sqs.send(typeof message === 'string' ? message : JSON.stringify(message));

export const prefix = 'AWSLogs/o-1/';
export const below = (name: string) => `${prefix}123456789012/CloudTrail/us-east-1/${name}`;

export async function watchQueue(more: Partial<CloudTrailWatchOptions> = {}): Promise<Watcher> {
  return await watch(where, {
    trail: [`s3://${bucket}/${prefix}`],
    queue: sqs.queueUrl,
    buckets: { region: 'us-east-1', endpoint: s3.url, bucketOwner: undefined },
    ...more,
  });
}

export const withCredentials = (test: () => Promise<void>) => () =>
  withEnvironment(credentials, test);
export const keysOf = (out: string) =>
  out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).accessKeyId);

export const bypass = (id: string) => trailFile(event(id, noon - 30 * minute));
export const refused = 'tokenbroker_cloudtrail_refused_messages_total';
export const unreadable = 'tokenbroker_cloudtrail_unreadable_total';
export const withheld = 'tokenbroker_cloudtrail_withheld_messages_total';
export const failedLooks = 'tokenbroker_cloudtrail_failed_looks_total{reason="queue"}';
/** In the form of CloudTrail's own notifications. */
export const delivered = (...keys: string[]) => ({ s3Bucket: bucket, s3ObjectKey: keys });
export const sendAgain = (key: string, receives: number) =>
  sqs.send(JSON.stringify(delivered(key)), receives);

/** The local S3 behind something that comes before each of its answers. */
export async function behind(before: () => unknown) {
  const server = createServer(staysOpen, async (req, res) => {
    await before();
    const headers = { authorization: req.headers.authorization ?? '' };
    const answer = await fetch(`${s3.url}${req.url}`, { headers });
    res.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  });
  const endpoint = await listenOnLoopback(server);
  alsoOpen.push(() => closeServer(server));
  return { region: 'us-east-1', endpoint, bucketOwner: undefined };
}
