/** The local S3 keeps what is locked, as S3 does, by the real SDK. */

import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type S3Server, startS3Server } from '../../emulators/s3/s3-server.ts';
import { hermeticSettings } from '../../src/aws/hermetic-settings.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';

const Bucket = 'evidence';
const object = { Bucket, Key: 'a/b.txt' };
const dayMs = 86_400_000;
let clock: TestClock;
let s3: S3Server;
let client: S3Client;
beforeEach(async () => {
  clock = createTestClock(Date.now());
  s3 = await startS3Server({ clock, bucket: Bucket, owner: '111122223333' });
  client = new S3Client({
    ...hermeticSettings({ region: 'us-east-1', endpoint: s3.url }),
    credentials: { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'example' },
    maxAttempts: 1,
  });
});
afterEach(async () => {
  client.destroy();
  await s3.stop();
});

const put = (Body: string, more: Partial<PutObjectCommandInput> = {}) =>
  client.send(new PutObjectCommand({ ...object, Body, ChecksumAlgorithm: 'SHA256', ...more }));
const locked = (): Partial<PutObjectCommandInput> => ({
  ObjectLockMode: 'COMPLIANCE',
  ObjectLockRetainUntilDate: new Date(clock.now() + dayMs),
});
const read = async (VersionId?: string) => {
  const { Body } = await client.send(new GetObjectCommand({ ...object, VersionId }));
  return Body?.transformToString();
};
const refused = (name: string) => expect.objectContaining({ name });

describe('the local S3', () => {
  it('keeps a locked version until its time, under whatever is put on top', async () => {
    const { VersionId } = await put('first', locked());
    await put('second');
    await client.send(new DeleteObjectCommand(object));
    await expect(read()).rejects.toEqual(refused('NoSuchKey'));
    const remove = new DeleteObjectCommand({ ...object, VersionId });
    await expect(client.send(remove)).rejects.toEqual(refused('AccessDenied'));
    expect(await read(VersionId)).toBe('first');
    const head = await client.send(new HeadObjectCommand({ ...object, VersionId }));
    expect(head.ObjectLockMode).toBe('COMPLIANCE');
    await clock.advance(dayMs + 1);
    await client.send(remove);
    await expect(read(VersionId)).rejects.toEqual(refused('NoSuchKey'));
  });

  it('writes nothing over what is there if it is asked not to', async () => {
    await put('first', { IfNoneMatch: '*', ...locked() });
    await expect(put('second', { IfNoneMatch: '*' })).rejects.toEqual(
      refused('PreconditionFailed'),
    );
    expect(await read()).toBe('first');
  });

  it.each<readonly [string, () => Partial<PutObjectCommandInput>, string]>([
    [
      'a lock that is over',
      () => ({ ...locked(), ObjectLockRetainUntilDate: new Date(0) }),
      'InvalidArgument',
    ],
    ['another checksum', () => ({ ChecksumSHA256: `${'A'.repeat(43)}=` }), 'BadDigest'],
    ['another owner', () => ({ ExpectedBucketOwner: '444455556666' }), 'AccessDenied'],
    ['another bucket', () => ({ Bucket: 'somebody-elses' }), 'NoSuchBucket'],
  ])('refuses %s', async (_what, more, name) => {
    await expect(put('text', more())).rejects.toEqual(refused(name));
    expect(s3.objects.keys).toEqual([]);
  });
});
