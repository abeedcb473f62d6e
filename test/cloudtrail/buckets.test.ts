/** Trails and logs in S3, by the real SDK and the local S3. */

import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type S3Server, startS3Server } from '../../emulators/s3/s3-server.ts';
import { BucketReader } from '../../src/cloudtrail/bucket-reader.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { exchangeRecord, logOf, newDirectory, removeDirectories } from '../audit/audit-fixture.ts';
import { withEnvironment } from '../support/with-environment.ts';
import { checkTrail, event, trailFile } from './trail-fixture.ts';

const bucket = 'org-trail';
let s3: S3Server;
beforeEach(async () => {
  s3 = await startS3Server({ clock: systemClock, bucket, owner: '111122223333', pageKeys: 2 });
});
afterEach(async () => {
  await s3.stop();
  removeDirectories();
});

function put(key: string, body: string | Buffer): void {
  s3.objects.put(key, { body: Buffer.from(body), lock: undefined, onlyIfAbsent: false });
}

const session = (id: string) => trailFile(event(id, Date.parse('2026-01-15T10:00:00Z')));

async function putLog(folder: string, id: string): Promise<void> {
  const directory = newDirectory();
  await logOf(
    directory,
    Date.parse('2026-01-15T09:00:00Z'),
    exchangeRecord(id, { time: '2026-01-15T10:00:00.000Z' }),
    exchangeRecord(`${id}2`, { time: '2026-01-15T20:00:00.000Z' }),
  );
  put(`${folder}/audit.jsonl`, readFileSync(path.join(directory, 'audit.jsonl')));
}

const credentials = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' };

function check(...more: readonly string[]) {
  const [audit, trail] = [`s3://${bucket}/logs/`, `s3://${bucket}/AWSLogs/`];
  return withEnvironment(credentials, () =>
    checkTrail(audit, trail, '--s3-endpoint', s3.url, ...more),
  );
}

const firstKey = async (reader: BucketReader) =>
  await reader.keys({ bucket, prefix: '' })[Symbol.asyncIterator]().next();

const copies = () => readdirSync(tmpdir()).filter((name) => name.startsWith('token-broker-audit-'));

describe('cloudtrail check in buckets', () => {
  it('reads all pages of logs and trail, and leaves no copy behind', async () => {
    await putLog('logs/pod-a', 'A');
    await putLog('logs/pod-b', 'B');
    put('logs/pod-b/checkpoint-1.txt', 'none of ours');
    for (const [index, id] of ['A', 'B', 'X'].entries())
      put(`AWSLogs/1/CloudTrail/us-east-1/${index}.json.gz`, session(id));
    put('AWSLogs/1/CloudTrail-Digest/us-east-1/d.json.gz', 'no events');
    put('elsewhere/1.json.gz', session('Y'));
    const before = copies();
    const { code, classes, summary } = await check(
      '--region',
      'us-east-1',
      '--bucket-owner',
      '111122223333',
    );
    expect({ code, classes, events: summary.events, sessions: summary.sessions }).toEqual({
      code: 2,
      classes: ['bypass'],
      events: 3,
      sessions: 4,
    });
    expect(s3.operations.filter((name) => name === 'ListObjectsV2').length).toBeGreaterThan(3);
    expect(copies()).toEqual(before);
  });

  it('T273: gives no verdict by a bucket of somebody else, without one, or over an open line', async () => {
    await putLog('logs', 'A');
    put('AWSLogs/a.json.gz', session('A'));
    expect((await check('--region', 'us-east-1')).code).toBe(0);
    const other = await check('--region', 'us-east-1', '--bucket-owner', '999999999999');
    expect(other).toMatchObject({ code: 1, err: expect.stringContaining('AccessDenied') });
    expect(await check()).toMatchObject({ code: 1, err: expect.stringContaining('--region') });
    const open = await check('--region', 'us-east-1', '--s3-endpoint', 'http://s3.example.com');
    expect(open).toMatchObject({ code: 1, err: expect.stringContaining('https') });
    s3.setFault({ kind: 'error', status: 500, code: 'InternalError', operations: ['GetObject'] });
    expect((await check('--region', 'us-east-1')).code).toBe(1);
  });

  it('T273: puts no copy of a log outside of its folder', async () => {
    await putLog('logs/../../escaped', 'A');
    put('AWSLogs/a.json.gz', session('A'));
    const { code, err } = await check('--region', 'us-east-1');
    expect({ code, named: err.includes('a name that no folder of a log has') }).toEqual({
      code: 1,
      named: true,
    });
  });

  it('T317: reads a trail page by page, and ends a list that is longer than it may be with what to do', async () => {
    const about = { region: 'us-east-1', endpoint: s3.url, bucketOwner: undefined };
    const reader = new BucketReader({ ...about, clock: systemClock, mostPages: 3 });
    const given: string[] = [];
    const list = async () => {
      const before = s3.operations.length;
      for await (const key of reader.keys({ bucket, prefix: 'AWSLogs/' })) {
        // What is given was asked for just now: pages to come are not in memory.
        if (given.length === 2) expect(s3.operations.length - before).toBe(2);
        given.push(key);
      }
    };
    const keys = Array.from({ length: 7 }, (_, index) => `AWSLogs/${index}.json`);
    for (const key of keys.slice(0, 6)) put(key, session('A'));
    await withEnvironment(credentials, async () => {
      await list();
      expect(given.splice(0)).toEqual(keys.slice(0, 6));
      put(keys[6] ?? '', session('A'));
      await expect(list()).rejects.toThrow('more than 3 pages of objects: give longer prefixes');
    });
    reader.stop();
  });

  it('T273: waits for no answer without end, and keeps none', async () => {
    const reader = new BucketReader({
      region: 'us-east-1',
      endpoint: s3.url,
      bucketOwner: undefined,
      clock: systemClock,
      requestTimeoutMs: 300,
      objectTimeoutMs: 900,
    });
    put('AWSLogs/a.json', Buffer.alloc(2000));
    await withEnvironment(credentials, async () => {
      await expect(reader.bytes(bucket, 'AWSLogs/a.json', 1000)).rejects.toThrow('more than 1000');
      s3.setFault({ kind: 'endless', operations: ['ListObjectsV2'] });
      await expect(firstKey(reader)).rejects.toThrow('cannot be listed');
      s3.setFault({ kind: 'endless', operations: ['GetObject'] });
      await expect(reader.bytes(bucket, 'AWSLogs/a.json', 1000)).rejects.toThrow('more than 1000');
      s3.setFault({ kind: 'hang' });
      await expect(reader.bytes(bucket, 'AWSLogs/a.json', 1000)).rejects.toThrow('cannot be read');
      await expect(firstKey(reader)).rejects.toThrow('cannot be listed');
    });
    reader.stop();
  });
});
