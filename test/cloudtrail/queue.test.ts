/** A watcher that a queue tells what is new. */

import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type CloudTrailWatchOptions, cloudTrailWatch } from '../../src/cli/cloudtrail-watch.ts';
import { readQueued } from '../../src/cloudtrail/queued-trail.ts';
import { TrailQueue } from '../../src/cloudtrail/trail-queue.ts';
import {
  below,
  bucket,
  bypass,
  closeQueue,
  created,
  delivered,
  failedLooks,
  inEnvelope,
  keysOf,
  openQueue,
  prefix,
  put,
  refused,
  s3,
  send,
  sqs,
  unreadable,
  watchQueue,
  where,
  withCredentials,
} from './queue-fixture.ts';
import { event, trailFile } from './trail-fixture.ts';
import { findings, minute, noon, warnings, watch } from './watcher-fixture.ts';

beforeEach(openQueue);
afterEach(closeQueue);

describe('cloudtrail watch by a queue', () => {
  it(
    'reads what S3, SNS, CloudTrail and EventBridge say was delivered, and lists nothing',
    withCredentials(async () => {
      send(created(put(below('a b+c.json.gz'), bypass('S3'))));
      send(inEnvelope(created(put(below('sns.json.gz'), bypass('SNS')))));
      const keys = ['1', '2'].map((name) => put(below(`${name}.json.gz`), bypass(`TRAIL${name}`)));
      send(inEnvelope({ s3Bucket: bucket, s3ObjectKey: keys }));
      const key = put(below('bridge.json.gz'), bypass('BRIDGE'));
      const detail = { version: '0', bucket: { name: bucket }, object: { key, size: 1 } };
      send({ version: '0', source: 'aws.s3', 'detail-type': 'Object Created', detail });
      // That the way works, and what is no new file with events.
      send({ Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: bucket });
      send(inEnvelope('CloudTrail validation message.'));
      send({ Records: [{ ...created(key).Records[0], eventName: 'ObjectRemoved:Delete' }] });
      const digests = 'AWSLogs/o-1/123456789012/CloudTrail-Digest/us-east-1/d.json.gz';
      send(created(put(digests, 'hashes')));
      const watcher = await watchQueue();
      const found = ['BRIDGE', 'S3', 'SNS', 'TRAIL1', 'TRAIL2'].map((id) => `ASIA${id}`);
      expect(keysOf(watcher.out()).sort()).toEqual(found);
      expect(await watcher.series(findings('bypass'))).toBe(5);
      expect(await watcher.series('tokenbroker_cloudtrail_refused_messages_total')).toBe(0);
      expect(await watcher.series('tokenbroker_cloudtrail_unreadable_total')).toBe(0);
      expect(sqs.size).toBe(0);
      expect(new Set(s3.operations)).toEqual(new Set(['GetObject']));
    }),
  );

  it(
    'T294: reads nothing outside of the given buckets and prefixes, whatever a message says, and believes no event in one',
    withCredentials(async () => {
      const bodies = [
        created(put('AWSLogs/o-2/elsewhere.json.gz', bypass('P'))),
        created(put('AWSLogs/o-1', bypass('Q'))),
        created(below('a.json.gz'), 'a-bucket-of-somebody'),
        created(below('a.json.gz'), `${bucket}/${prefix}`),
        { s3Bucket: bucket, s3ObjectKey: [`../${below('a.json.gz')}`, '/etc/passwd'] },
        { s3Bucket: bucket, s3ObjectKey: Array.from({ length: 101 }, () => below('a.json.gz')) },
        { Records: [{ ...created(below('%E0')).Records[0], s3: { object: { key: '%E0%A4%A' } } }] },
        { 'detail-type': 'AWS API Call via CloudTrail', detail: event('FORGED', noon) },
        { Records: [event('FORGED', noon - 30 * minute)] },
        inEnvelope('https://example.com/unsubscribe'),
        { Type: 'Notification', Message: 7 },
        '',
        'null',
        '['.repeat(100_000),
        `"${'x'.repeat(300_000)}"`,
      ];
      for (const body of bodies) send(body);
      const watcher = await watchQueue();
      expect(watcher.out()).toBe('');
      expect({
        refused: await watcher.series('tokenbroker_cloudtrail_refused_messages_total'),
        left: sqs.size,
        asked: s3.operations,
      }).toEqual({ refused: bodies.length, left: 0, asked: [] });
    }),
  );

  it(
    'T295: removes a message only when its finding is in the state file',
    withCredentials(async () => {
      send(created(put(below('1.json.gz'), bypass('X'))));
      const audit = [`${where.audit}-away`];
      const blind = await watchQueue({ audit });
      expect(
        await blind.series('tokenbroker_cloudtrail_failed_looks_total{reason="audit_log"}'),
      ).toBe(1);
      expect({ asked: sqs.asked, left: sqs.size }).toEqual({ asked: [], left: 1 });
      await blind.stop();

      // A folder where the state file should be: found and told, and not remembered.
      const unwritable = await watchQueue({ stateFile: `${where.audit}/none/state.json` });
      expect(
        await unwritable.series('tokenbroker_cloudtrail_failed_looks_total{reason="state"}'),
      ).toBe(1);
      expect({ asked: new Set(sqs.asked), left: sqs.size }).toEqual({
        asked: new Set(['ReceiveMessage']),
        left: 1,
      });
      await unwritable.stop();

      await where.clock.advance(15 * minute);
      const watcher = await watchQueue();
      expect(keysOf(watcher.out())).toEqual(['ASIAX']);
      expect(sqs.size).toBe(0);
    }),
  );

  it(
    'T296: says once what can never be read, and goes on with the rest',
    withCredentials(async () => {
      send(created(below('gone.json.gz')));
      send(created(put(below('broken.json.gz'), 'no gzip')));
      send(created(put(below('other.json.gz'), trailFile().subarray(0, 12))));
      send(created(put(below('1.json.gz'), bypass('X'))));
      const { said, logger } = warnings();
      const watcher = await watchQueue({ logger });
      expect(keysOf(watcher.out())).toEqual(['ASIAX']);
      expect(await watcher.series('tokenbroker_cloudtrail_unreadable_total')).toBe(3);
      for (const name of ['gone', 'broken', 'other'])
        expect(said.join('')).toContain(`s3://${bucket}/${below(name)}.json.gz`);
      expect(sqs.size).toBe(0);
    }),
  );

  it(
    'T308: finds what a message tells of, whatever JSON another one is',
    withCredentials(async () => {
      const { Records } = created(below('a.json.gz'));
      const odd = { toString: 1 };
      const bodies = [
        { Records: [{ ...Records[0], eventName: odd }] },
        { Records: [{ ...Records[0], eventName: [odd] }] },
        { Records: [{ ...Records[0], eventSource: odd }] },
        { Records: [{ ...Records[0], s3: { bucket: { name: odd }, object: { key: odd } } }] },
        { Type: 'Notification', Message: odd },
        { 'detail-type': 'Object Created', detail: { bucket: odd, object: odd } },
        { s3Bucket: odd, s3ObjectKey: [odd] },
      ];
      for (const body of bodies) send(body);
      send(created(put(below('1.json.gz'), bypass('X'))));
      const watcher = await watchQueue();
      expect(keysOf(watcher.out())).toEqual(['ASIAX']);
      expect([await watcher.series(failedLooks), await watcher.series(refused), sqs.size]).toEqual([
        ...[0, bodies.length, 0],
      ]);
    }),
  );

  it(
    'T308: asks S3 for no name that it never has, and finds what is behind a message with a hundred of them',
    withCredentials(async () => {
      const names = [
        below(`${'x'.repeat(1100)}.json.gz`),
        below(`${'é'.repeat(520)}.json.gz`),
        below('\ud800.json.gz'),
        below('\udc00\ud800.json.gz'),
        below('a\r\nb.json.gz'),
        below('a\u0000.json.gz'),
        below('\u007f.json.gz'),
        below('../secret.json.gz'),
        below('./a.json.gz'),
        `${prefix}..`,
      ];
      for (const name of names) send(delivered(name));
      send(
        delivered(...Array.from({ length: 100 }, (_, index) => below(`${index}\ud800.json.gz`))),
      );
      send(created(below(`${'y'.repeat(1100)}.json.gz`)));
      const longest = prefix + 'l'.repeat(1024 - `${prefix}.json.gz`.length);
      send(created(put(`${longest}.json.gz`, bypass('LONGEST'))));
      send(created(put(below('é😀..json.gz'), bypass('X'))));
      const watcher = await watchQueue();
      expect(keysOf(watcher.out())).toEqual(['ASIALONGEST', 'ASIAX']);
      expect([await watcher.series(refused), await watcher.series(unreadable), sqs.size]).toEqual([
        ...[names.length + 2, 0, 0],
      ]);
      expect(s3.operations).toEqual(['GetObject', 'GetObject']);
    }),
  );

  it(
    'T316: keeps nothing of a message that is done with but what it is removed by',
    withCredentials(async () => {
      send('x'.repeat(60_000));
      const queue = new TrailQueue({ url: sqs.queueUrl, region: 'us-east-1', clock: where.clock });
      const nothing = () => undefined;
      const { done } = await readQueued({
        ...{ queue, clock: where.clock, places: [], seen: new Set<string>() },
        ...{ onRecord: nothing, onUnreadable: nothing, onRefused: nothing },
        isStopping: () => false,
      });
      queue.stop();
      expect(done).toEqual([{ receipt: expect.any(String) }]);
    }),
  );

  it(
    'shows no name of a stranger that would act on a terminal',
    withCredentials(async () => {
      send(delivered(below('\u202e\u2066.json.gz')));
      const { said, logger } = warnings();
      await watchQueue({ logger });
      expect(said.join('')).toContain('\\\\u{202e}\\\\u{2066}.json.gz');
      expect(said.join('')).not.toMatch(/[\u202e\u2066]/);
    }),
  );

  it.each([
    ['a queue', () => sqs.queueUrl, 'run `token-broker cloudtrail check` for the time'],
    ['listed files', () => undefined, 'what was found before is found again'],
  ])('T295: says of a broken state beside %s what is to be done', async (_beside, queue, said) => {
    writeFileSync(where.stateFile, '{', { mode: 0o600 });
    const err: string[] = [];
    const options: Partial<CloudTrailWatchOptions> = {
      ...{ audit: [where.audit], trail: [`s3://${bucket}/${prefix}`], queue: queue() },
      ...{ stateFile: where.stateFile, clock: where.clock },
      buckets: { region: 'us-east-1', endpoint: s3.url, bucketOwner: undefined },
      output: { out: () => undefined, err: (text) => void err.push(text) },
    };
    const code = await cloudTrailWatch(options as CloudTrailWatchOptions);
    expect(code).toBe(1);
    expect(err.join('')).toContain(said);
  });

  it.each([
    ['http://sqs.us-east-1.amazonaws.com/1/q', 's3://trail/p/', 'https URL'],
    ['https://vpce.example.com/1/q', 's3://trail/p/', '--region'],
    ['https://sqs.eu-central-1.amazonaws.com/1/q', '.', 's3://bucket/prefix/'],
  ])('does not start with the queue %s and the trail %s', async (queue, trail, said) => {
    const region = said === '--region' ? undefined : 'us-east-1';
    const lines: string[] = [];
    const options: Partial<CloudTrailWatchOptions> = {
      ...{ audit: [where.audit], trail: [trail], queue, stateFile: where.stateFile },
      buckets: { region, endpoint: undefined, bucketOwner: undefined },
      clock: where.clock,
      output: { out: () => undefined, err: (text) => void lines.push(text) },
    };
    const code = await cloudTrailWatch(options as CloudTrailWatchOptions);
    expect({ code, said: lines.join('') }).toEqual({
      code: 1,
      said: expect.stringContaining(said),
    });
  });

  it('goes on from the state of a watcher that knew no queue', async () => {
    const older = {
      ...{ version: 1, files: [], waiting: [], newest: {}, providers: [], reported: [] },
      findings: { bypass: 3, other_provider: 0, unbound: 0, altered: 0, thumbprint: 0 },
      ...{ events: 9, unreadable: 0 },
    };
    writeFileSync(where.stateFile, JSON.stringify(older), { mode: 0o600 });
    const watcher = await watch(where);
    expect(await watcher.series(findings('bypass'))).toBe(3);
  });
});
