/** What CloudTrail delivers, and what is said of it. */

import { gzipSync } from 'node:zlib';
import { addCloudTrailCommands } from '../../src/cli/commands/cloudtrail.ts';
import { runCommandLine } from '../support/command-line.ts';

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

/** `cloudtrail check`, in this process. */
export async function checkTrail(audit: string, trail: string, ...more: readonly string[]) {
  const words = ['cloudtrail', 'check', '--audit', audit, '--trail', trail, ...more];
  const { code, out, err } = await runCommandLine(addCloudTrailCommands, words);
  const lines = out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
  const found = lines.filter(({ type }) => type === 'finding');
  const classes = found.map((finding) => finding.class);
  return { code, out, err, found, classes, summary: lines.at(-1) };
}
