/** A watcher that a queue tells what is new, by the real SDK, the local S3 and the local SQS. */

import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeServer, listenOnLoopback } from '../../emulators/loopback-http.ts';
import { type S3Server, startS3Server } from '../../emulators/s3/s3-server.ts';
import { type SqsServer, startSqsServer } from '../../emulators/sqs/sqs-server.ts';
import { type CloudTrailWatchOptions, cloudTrailWatch } from '../../src/cli/cloudtrail-watch.ts';
import { readQueued } from '../../src/cloudtrail/queued-trail.ts';
import { TrailQueue } from '../../src/cloudtrail/trail-queue.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { withEnvironment } from '../support/with-environment.ts';
import { event, trailFile } from './trail-fixture.ts';
import {
  findings,
  minute,
  noon,
  type Place,
  place,
  record,
  stopWatchers,
  type Watcher,
  warnings,
  watch,
} from './watcher-fixture.ts';

const bucket = 'org-trail';
const credentials = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' };

let s3: S3Server;
let sqs: SqsServer;
let where: Place;
beforeEach(async () => {
  where = place();
  await record(where.audit, 'A', noon - 60 * minute);
  s3 = await startS3Server({ clock: where.clock, bucket, owner: '111122223333' });
  sqs = await startSqsServer({ clock: where.clock });
});
/** Of one test. */
const alsoOpen: (() => Promise<void>)[] = [];
afterEach(async () => {
  await stopWatchers();
  for (const stop of alsoOpen.splice(0)) await stop();
  await s3.stop();
  await sqs.stop();
});

function put(key: string, body: Buffer | string): string {
  s3.objects.put(key, { body: Buffer.from(body), lock: undefined, onlyIfAbsent: false });
  return key;
}

/** In the form of S3's event notifications. */
const created = (key: string, inBucket = bucket) => ({
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
const inEnvelope = (message: unknown) => ({
  Type: 'Notification',
  MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
  TopicArn: 'arn:aws:sns:us-east-1:123456789012:trail',
  Message: typeof message === 'string' ? message : JSON.stringify(message),
});
const send = (message: unknown) =>
  sqs.send(typeof message === 'string' ? message : JSON.stringify(message));

const prefix = 'AWSLogs/o-1/';
const below = (name: string) => `${prefix}123456789012/CloudTrail/us-east-1/${name}`;

async function watchQueue(more: Partial<CloudTrailWatchOptions> = {}): Promise<Watcher> {
  return await watch(where, {
    trail: [`s3://${bucket}/${prefix}`],
    queue: sqs.queueUrl,
    buckets: { region: 'us-east-1', endpoint: s3.url, bucketOwner: undefined },
    ...more,
  });
}

const withCredentials = (test: () => Promise<void>) => () => withEnvironment(credentials, test);
const keysOf = (out: string) =>
  out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line).accessKeyId);

const bypass = (id: string) => trailFile(event(id, noon - 30 * minute));
const refused = 'tokenbroker_cloudtrail_refused_messages_total';
const unreadable = 'tokenbroker_cloudtrail_unreadable_total';
const withheld = 'tokenbroker_cloudtrail_withheld_messages_total';
const failedLooks = 'tokenbroker_cloudtrail_failed_looks_total{reason="queue"}';
/** In the form of CloudTrail's own notifications. */
const delivered = (...keys: string[]) => ({ s3Bucket: bucket, s3ObjectKey: keys });
const sendAgain = (key: string, receives: number) =>
  sqs.send(JSON.stringify(delivered(key)), receives);

/** The local S3 behind something that comes before each of its answers. */
async function behind(before: () => unknown) {
  const server = createServer(async (req, res) => {
    await before();
    const headers = { authorization: req.headers.authorization ?? '' };
    const answer = await fetch(`${s3.url}${req.url}`, { headers });
    res.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  });
  const endpoint = await listenOnLoopback(server);
  alsoOpen.push(() => closeServer(server));
  return { region: 'us-east-1', endpoint, bucketOwner: undefined };
}

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
    'T295: tells a finding once, where its message comes again after a restart, and counts its events once',
    withCredentials(async () => {
      sqs.behave('keep');
      send(created(put(below('1.json.gz'), bypass('X'))));
      const before = await watchQueue();
      expect(keysOf(before.out())).toEqual(['ASIAX']);
      await before.look();
      expect(await before.series('tokenbroker_cloudtrail_failed_looks_total{reason="queue"}')).toBe(
        1,
      );
      await before.stop();
      sqs.behave('answer');
      await where.clock.advance(15 * minute);
      const after = await watchQueue();
      expect(after.out()).toBe('');
      expect(await after.series(findings('bypass'))).toBe(1);
      expect(await after.series('tokenbroker_cloudtrail_events_total')).toBe(1);
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
    'T296: keeps in the queue what S3 does not give just now',
    withCredentials(async () => {
      send(created(put(below('1.json.gz'), bypass('X'))));
      s3.setFault({ kind: 'error', status: 403, code: 'AccessDenied', operations: ['GetObject'] });
      const watcher = await watchQueue();
      expect(await watcher.series('tokenbroker_cloudtrail_unreadable_total')).toBe(1);
      expect(sqs.size).toBe(1);
      s3.setFault(undefined);
      await watcher.look(16 * minute);
      expect(keysOf(watcher.out())).toEqual(['ASIAX']);
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

  it.each(['KeyTooLongError', 'InvalidURI', 'NoSuchKey'])(
    'T308: removes a message of what S3 calls %s, and reads it if it is announced again',
    (code) =>
      withCredentials(async () => {
        send(delivered(put(below('1.json.gz'), bypass('X'))));
        s3.setFault({ kind: 'error', status: 400, code, times: 1 });
        const watcher = await watchQueue();
        expect([watcher.out(), await watcher.series(unreadable), sqs.size]).toEqual(['', 1, 0]);
        send(delivered(below('1.json.gz')));
        await watcher.look();
        expect(keysOf(watcher.out())).toEqual(['ASIAX']);
      })(),
  );

  it(
    'T308: reads a file that was announced before it was there, also within one look',
    withCredentials(async () => {
      send(delivered(below('late.json.gz')));
      send(delivered(below('late.json.gz')));
      const watcher = await watchQueue();
      expect([await watcher.series(unreadable), sqs.size]).toEqual([2, 0]);
      send(delivered(put(below('late.json.gz'), bypass('X'))));
      await watcher.look();
      expect(keysOf(watcher.out())).toEqual(['ASIAX']);
    }),
  );

  it(
    'T308: gives up a message after ten files that S3 does not give, and reads those of the others',
    withCredentials(async () => {
      for (let message = 0; message < 11; message += 1) {
        const names = Array.from({ length: 100 }, (_, index) =>
          below(`${message}-${index}.json.gz`),
        );
        send(delivered(...names));
      }
      send(delivered(put(below('1.json.gz'), bypass('X'))));
      s3.setFault({ kind: 'error', status: 403, code: 'AccessDenied', times: 110 });
      const watcher = await watchQueue();
      expect(keysOf(watcher.out())).toEqual(['ASIAX']);
      expect([s3.operations.length, sqs.size]).toEqual([111, 11]);
    }),
  );

  it(
    'T315: spends little on names that S3 has long not given, says so, and finds what is behind them',
    withCredentials(async () => {
      const hidden = await startS3Server({
        ...{ clock: where.clock, bucket, owner: '111122223333', mayList: false },
      });
      alsoOpen.push(() => hidden.stop());
      for (let name = 0; name < 120; name += 1) sendAgain(below(`made-up-${name}.json.gz`), 8);
      const honest = { body: bypass('X'), lock: undefined, onlyIfAbsent: false };
      hidden.objects.put(below('1.json.gz'), honest);
      send(delivered(below('made-up-now.json.gz')));
      send(delivered(below('1.json.gz')));
      const { said, logger } = warnings();
      const buckets = { region: 'us-east-1', endpoint: hidden.url, bucketOwner: undefined };
      const watcher = await watchQueue({ buckets, logger });
      expect(keysOf(watcher.out())).toEqual(['ASIAX']);
      expect(said.join('')).toContain('where s3:ListBucket is missing');
      // Not the one that has come for the first time.
      expect(await watcher.series(withheld)).toBe(120);
      expect([hidden.operations.length, sqs.size]).toEqual([100 + 2, 121]);
    }),
  );

  it(
    'T315: reads what S3 gives in the end, however often its message has come, and has not given up before',
    withCredentials(async () => {
      sendAgain(put(below('1.json.gz'), bypass('X')), 7);
      s3.setFault({ kind: 'error', status: 403, code: 'AccessDenied', operations: ['GetObject'] });
      const watcher = await watchQueue();
      expect([watcher.out(), await watcher.series(withheld), sqs.size]).toEqual(['', 0, 1]);
      await watcher.look(16 * minute);
      expect([watcher.out(), await watcher.series(withheld), sqs.size]).toEqual(['', 1, 1]);
      s3.setFault(undefined);
      await watcher.look(16 * minute);
      expect([keysOf(watcher.out()), await watcher.series(withheld)]).toEqual([['ASIAX'], 1]);
      expect(sqs.size).toBe(0);
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
    'T296: ends a look after ten minutes, with what it has found, and takes the rest later',
    withCredentials(async () => {
      const slow = await behind(() => where.clock.advance(4 * minute));
      for (const name of ['1', '2', '3', '4', '5'])
        send(delivered(put(below(`${name}.json.gz`), bypass(name))));
      const watcher = await watchQueue({ buckets: slow });
      expect([keysOf(watcher.out()), sqs.size]).toEqual([['ASIA1', 'ASIA2', 'ASIA3'], 2]);
      await watcher.look(15 * minute);
      expect([keysOf(watcher.out()).slice(3), sqs.size]).toEqual([['ASIA4', 'ASIA5'], 0]);
    }),
  );

  it(
    'T296: stops between two files of one message, which stays in the queue',
    withCredentials(async () => {
      let stop: (signal: string) => void = () => undefined;
      const stopRequested = new Promise<string>((resolve) => {
        stop = resolve;
      });
      const asked = await behind(() => s3.operations.length === 1 && stop('SIGTERM'));
      const keys = ['1', '2', '3', '4'].map((name) => put(below(`${name}.json.gz`), bypass(name)));
      // At the first file of the second message.
      send(delivered(keys[0] ?? ''));
      send(delivered(...keys.slice(1)));
      const out: string[] = [];
      const output = { out: (text: string) => void out.push(text), err: () => undefined };
      const code = await cloudTrailWatch({
        ...{ audit: [where.audit], trail: [`s3://${bucket}/${prefix}`], queue: sqs.queueUrl },
        ...{ role: [], stateFile: where.stateFile, everyMs: minute, auditLagMs: 0 },
        ...{ host: '127.0.0.1', port: 0, buckets: asked, clock: where.clock },
        ...{ logger: createLogger({ level: 'silent' }), output, stopRequested },
      });
      expect([code, keysOf(out.join('')), sqs.size]).toEqual([0, ['ASIA1', 'ASIA2'], 1]);
    }),
  );

  it(
    'T296: names twenty files of a look that cannot be read, and counts all',
    withCredentials(async () => {
      send(delivered(...Array.from({ length: 50 }, (_, index) => below(`${index}.json.gz`))));
      const { said, logger } = warnings();
      const watcher = await watchQueue({ logger });
      expect(said.filter((line) => line.includes('cannot be read:'))).toHaveLength(20);
      expect(await watcher.series(unreadable)).toBe(50);
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

  it(
    'T295: says that a lost state needs a check, once a queue is followed without one, and never with one',
    withCredentials(async () => {
      const first = warnings();
      await (await watchQueue({ logger: first.logger })).stop();
      const second = warnings();
      await (await watchQueue({ logger: second.logger })).stop();
      rmSync(where.stateFile);
      const third = warnings();
      await (await watchQueue({ logger: third.logger })).stop();
      rmSync(where.stateFile);
      const listed = warnings();
      await (await watch(where, { logger: listed.logger })).stop();
      const isSaid = [first, second, third, listed].map(({ said }) =>
        said.join('').includes('token-broker cloudtrail check'),
      );
      expect(isSaid).toEqual([true, false, true, false]);
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

  it(
    'gives no verdict where the queue gives no messages, and goes on once it does',
    withCredentials(async () => {
      send(created(put(below('1.json.gz'), bypass('X'))));
      sqs.behave({ error: 'AccessDeniedException' });
      const failed = 'tokenbroker_cloudtrail_failed_looks_total{reason="queue"}';
      const watcher = await watchQueue();
      expect(await watcher.series(failed)).toBe(1);
      sqs.behave({ error: 'ReceiptHandleIsInvalid', action: 'DeleteMessageBatch' });
      await watcher.look();
      expect(keysOf(watcher.out())).toEqual(['ASIAX']);
      sqs.behave('answer');
      await watcher.look(16 * minute);
      expect(keysOf(watcher.out())).toEqual(['ASIAX']);
      expect(sqs.size).toBe(0);
    }),
  );

  it(
    'waits for no answer without end, and keeps none',
    withCredentials(async () => {
      const about = { url: sqs.queueUrl, region: 'us-east-1', clock: systemClock };
      const queue = new TrailQueue({ ...about, requestTimeoutMs: 300 });
      sqs.behave('silent');
      await expect(queue.receive()).rejects.toThrow('no messages can be received');
      sqs.behave('endless');
      await expect(queue.receive()).rejects.toThrow('no messages can be received');
      queue.stop();
    }),
  );

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
