/** What CloudTrail delivers. */

import { gzipSync } from 'node:zlib';

const role = 'arn:aws:iam::123456789012:role/broker/orders-writer';

/** A session of a mapped role, with the credentials `ASIA<id>`; `time` is epoch milliseconds. */
export const event = (id: string, time: number, changes: object = {}) => ({
  eventTime: new Date(time).toISOString().replace('.000', ''),
  eventSource: 'sts.amazonaws.com',
  eventName: 'AssumeRoleWithWebIdentity',
  awsRegion: 'us-east-1',
  recipientAccountId: '123456789012',
  requestParameters: {
    roleArn: role,
    roleSessionName: '4abc0exampleclientid',
    durationSeconds: 3600,
  },
  responseElements: { credentials: { accessKeyId: `ASIA${id}` } },
  requestID: 'c0ffee00-1234-4123-8123-123456789012',
  eventID: id,
  ...changes,
});

/** A file, as CloudTrail packs them. */
export function trailFile(...records: readonly object[]): Buffer {
  return gzipSync(JSON.stringify({ Records: records }));
}
