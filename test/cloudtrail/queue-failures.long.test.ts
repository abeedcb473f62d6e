/** A queue or a bucket that keeps something back, and a watcher that ends between two of its steps. */

import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startS3Server } from '../../emulators/s3/s3-server.ts';
import { cloudTrailWatch } from '../../src/cli/cloudtrail-watch.ts';
import { TrailQueue } from '../../src/cloudtrail/trail-queue.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import {
  alsoOpen,
  behind,
  below,
  bucket,
  bypass,
  closeQueue,
  created,
  delivered,
  keysOf,
  openQueue,
  prefix,
  put,
  s3,
  send,
  sendAgain,
  sqs,
  unreadable,
  watchQueue,
  where,
  withCredentials,
  withheld,
} from './queue-fixture.ts';
import { findings, minute, warnings, watch } from './watcher-fixture.ts';

beforeEach(openQueue);
afterEach(closeQueue);

describe('cloudtrail watch by a queue, when something fails,', () => {
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
});
