/** Copies of checkpoints, by the real SDK, in an S3 on loopback that keeps what is locked. */

import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { S3Fault } from '../../../emulators/s3/s3-fault.ts';
import { type S3Server, startS3Server } from '../../../emulators/s3/s3-server.ts';
import { CheckpointCopies } from '../../../src/audit/checkpoints/checkpoint-copies.ts';
import { LockedBucket } from '../../../src/audit/checkpoints/locked-bucket.ts';
import { hermeticSettings } from '../../../src/aws/hermetic-settings.ts';
import { auditVerify } from '../../../src/cli/audit-verify.ts';
import { FileSigner } from '../../../src/signing/file-signer.ts';
import { createTestClock, type TestClock } from '../../support/test-clock.ts';
import { until } from '../../support/until.ts';
import { withEnvironment } from '../../support/with-environment.ts';
import { newDirectory, removeDirectories } from '../audit-fixture.ts';
import { type KeyFiles, newKeyFiles, signedLog } from './checkpoint-fixture.ts';

const bucket = 'audit-evidence';
const owner = '111122223333';
const credentials = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' };
const startedAt = Date.UTC(2026, 0, 15, 12);
const dayMs = 86_400_000;

let keys: KeyFiles;
let s3: S3Server;
let clock: TestClock;
beforeAll(() => {
  keys = newKeyFiles();
});
beforeEach(async () => {
  clock = createTestClock(startedAt);
  s3 = await startS3Server({ clock, bucket, owner });
});
afterEach(() => s3.stop());
afterAll(removeDirectories);

function copiesTo(endpoint: string, settings: { bucket?: string; bucketOwner?: string } = {}) {
  const stored: number[] = [];
  const failures: string[] = [];
  const copies = new CheckpointCopies({
    store: new LockedBucket({
      bucket,
      bucketOwner: owner,
      region: 'us-east-1',
      endpoint,
      prefix: 'checkpoints/',
      retentionDays: 365,
      // Real time, which a busy machine lets pass: the deadline of the whole is on the clock.
      requestTimeoutMs: 30_000,
      ...settings,
    }),
    deadlineMs: 5_000,
    clock,
    observer: {
      onStored: ({ size }) => void stored.push(size),
      onFailure: ({ failure, errorCode }) => void failures.push(`${failure} ${errorCode}`),
    },
  });
  return { copies, stored, failures };
}

async function copiedLog(directory: string, settings = {}) {
  const copying = copiesTo(s3.url, settings);
  const checkpoints = { copies: copying.copies };
  const log = await signedLog(directory, {
    signer: new FileSigner(keys.privateKey),
    clock,
    checkpoints,
  });
  log.checkpointer.start();
  return {
    ...log,
    ...copying,
    /** Of all that is written, now. */
    checkpoint: async () => {
      const before = log.notes.length;
      // The first one is due at once. A copy that hangs begins behind this step, so no step waits for it.
      await clock.advance(before === 0 ? 1_000 : 60_000);
      await until(() => log.notes.length > before);
    },
  };
}

const nameOf = (note: string) => {
  const [origin = '', size = ''] = note.split('\n');
  return `checkpoint-${origin.split('/').at(-1)}-${size.padStart(15, '0')}.txt`;
};

/** As an auditor fetches them: everything there is, into a folder. */
async function fetchAll(): Promise<string> {
  const folder = newDirectory();
  const client = new S3Client({
    ...hermeticSettings({ region: 'us-east-1', endpoint: s3.url }),
  });
  for (const key of s3.objects.keys) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    writeFileSync(path.join(folder, path.basename(key)), (await Body?.transformToString()) ?? '');
  }
  client.destroy();
  return folder;
}

async function check(directory: string, checkpoint: string) {
  let text = '';
  const out = (part: string) => {
    text += part;
  };
  const code = await auditVerify({
    directory: [directory],
    checkpoint,
    key: keys.publicKey,
    json: false,
    out,
  });
  return { code, text };
}

const inAccount = (work: () => Promise<void>) => () => withEnvironment(credentials, work);

describe('copies of checkpoints in a bucket with Object Lock', () => {
  it(
    'T117: are there one by one, locked for as long as was asked, and show an end that was cut off',
    inAccount(async () => {
      const directory = newDirectory();
      const log = await copiedLog(directory);
      for (const id of ['r1', 'r2', 'r3']) {
        await log.record(id);
        await log.checkpoint();
        await until(() => log.stored.length === log.notes.length);
      }
      expect([log.stored, log.failures]).toEqual([[2, 3, 4], []]);
      expect(s3.objects.keys).toEqual(log.notes.map((note) => `checkpoints/${nameOf(note)}`));
      for (const [n, key] of s3.objects.keys.entries()) {
        const [version, ...more] = s3.objects.versionsOf(key);
        expect([version?.body?.toString(), more]).toEqual([log.notes[n], []]);
        expect(version?.lock?.mode).toBe('COMPLIANCE');
        expect(version?.lock?.retainUntil).toBeGreaterThanOrEqual(startedAt + 365 * dayMs);
        expect(version?.lock?.retainUntil).toBeLessThanOrEqual(clock.now() + 365 * dayMs + 1_000);
      }
      const before = newDirectory();
      cpSync(directory, before, { recursive: true });
      await log.record('r4');
      await log.stop();
      expect(log.stored.at(-1)).toBe(5);

      const kept = await fetchAll();
      expect(await check(directory, kept)).toMatchObject({ code: 0 });
      const { code, text } = await check(before, kept);
      expect(code).toBe(1);
      expect(text).toContain('a checkpoint was signed for the first 5 records');
    }),
  );

  const tooBusy = { kind: 'error', status: 503, code: 'SlowDown' } as const;
  const denied = { kind: 'error', status: 403, code: 'AccessDenied' } as const;
  it.each<readonly [string, S3Fault, RegExp]>([
    ['is cut off', { kind: 'reset' }, /^not_stored (?:ECONNRESET|Error)$/],
    ['refuses', denied, /^not_stored AccessDenied$/],
    ['refuses to be read', { ...denied, operations: ['GetObject'] }, /^not_stored AccessDenied$/],
    ['has too much to do', tooBusy, /^not_stored SlowDown$/],
    [
      'is written to by somebody else at this moment',
      { kind: 'error', status: 409, code: 'ConditionalRequestConflict' },
      /^not_stored ConditionalRequestConflict$/,
    ],
    ['answers without end', { kind: 'endless' }, /^not_stored AnswerTooLarge$/],
    [
      'has a note without end',
      { kind: 'endless', operations: ['GetObject'] },
      /^not_stored AnswerTooLarge$/,
    ],
    ['says that it has it, and has not', { kind: 'forget' }, /^not_stored NoSuchKey$/],
    [
      'calls its error by ten thousand letters',
      { kind: 'error', status: 400, code: 'x'.repeat(10_000) },
      /^not_stored unknown$/,
    ],
  ])(
    'T118: leave the log alone while S3 %s, say so, and catch up with the newest one afterwards',
    async (_how, fault, failure) => {
      await withEnvironment(credentials, async () => {
        const log = await copiedLog(newDirectory());
        s3.setFault(fault);
        await log.record('r1');
        await log.checkpoint();
        await until(() => log.failures.length > 0);
        await log.record('r2', 'r3');
        await log.checkpoint();

        expect(log.failures.every((it) => failure.test(it))).toBe(true);
        expect([log.stored, log.checkpointFailures]).toEqual([[], []]);
        expect(log.copies.lagSeconds()).toBeGreaterThanOrEqual(59);

        s3.setFault(undefined);
        // What was on its way when S3 came back may arrive before it.
        while (log.stored.at(-1) !== 4) await clock.advance(1_000);
        expect(log.stored.length).toBeLessThanOrEqual(2);
        expect(log.copies.lagSeconds()).toBe(0);
        await log.stop();
      });
    },
  );

  it.each<readonly [string, string]>([
    ['says nothing', 'PutObject'],
    ['says nothing when it is read', 'GetObject'],
  ])('T118: leave the log alone while S3 %s', async (_how, operation) => {
    await withEnvironment(credentials, async () => {
      const log = await copiedLog(newDirectory());
      s3.setFault({ kind: 'hang', operations: [operation], times: 1 });
      await log.record('r1');
      await log.checkpoint();
      // Connecting is given a second of real time, which a busy machine may take.
      await until(() => s3.operations.includes(operation) || log.failures.length > 0);
      await clock.outlast(until(() => log.failures.length > 0));
      expect(log.failures[0]).toMatch(/^not_stored \w+$/);
      await log.record('r2');
      s3.setFault(undefined);
      await log.checkpoint();
      while (log.stored.at(-1) !== 3) await clock.advance(1_000);
      expect(log.copies.lagSeconds()).toBe(0);
      await log.stop();
    });
  });

  it(
    'T118: are there after an answer that was lost, once and without an alarm',
    inAccount(async () => {
      const log = await copiedLog(newDirectory());
      // Both tries of the SDK, so the position is taken when ours comes again.
      s3.setFault({ kind: 'loseAnswer', operations: ['PutObject'], times: 2 });
      await log.record('r1');
      await log.checkpoint();
      while (log.stored.length === 0) await clock.advance(1_000);
      expect(log.stored).toEqual([2]);
      expect(s3.objects.versionsOf(s3.objects.keys[0] ?? '')).toHaveLength(1);
      await log.stop();
    }),
  );

  it(
    'T118: end in time with S3 that says nothing',
    inAccount(async () => {
      const log = await copiedLog(newDirectory());
      s3.setFault({ kind: 'hang' });
      await log.record('r1');
      await clock.outlast(log.stop());
      expect(log.stored).toEqual([]);
    }),
  );

  it.each<readonly [string, S3Fault, string]>([
    ['keeps something else', { kind: 'alter' }, 'contradicts ECONTRADICTS'],
    ['leaves them open to be deleted', { kind: 'leaveOpen' }, 'not_locked ENOLOCK'],
  ])('T119: count as missing where S3 %s', async (_how, fault, failure) => {
    await withEnvironment(credentials, async () => {
      const log = await copiedLog(newDirectory());
      s3.setFault(fault);
      await log.record('r1');
      await log.checkpoint();
      await until(() => log.failures.length > 0);
      expect([log.failures[0], log.stored]).toEqual([failure, []]);
      await clock.outlast(log.stop());
    });
  });

  it(
    'T119: show a log that was put back and went on otherwise: the first statement stays, and the alarm names it',
    inAccount(async () => {
      const directory = newDirectory();
      const log = await copiedLog(directory);
      await log.record('r1');
      await log.stop();
      const putBack = newDirectory();
      cpSync(directory, putBack, { recursive: true });
      const first = await copiedLog(directory);
      await first.record('r2');
      await first.stop();
      const told = first.notes.at(-1) ?? '';

      const second = await copiedLog(putBack);
      await second.record('something else');
      await second.stop();
      expect(second.notes.at(-1)?.split('\n').slice(0, 2)).toEqual(told.split('\n').slice(0, 2));
      expect(second.failures[0]).toBe('contradicts ECONTRADICTS');
      const versions = s3.objects.versionsOf(`checkpoints/${nameOf(told)}`);
      expect(versions.map(({ body }) => body?.toString())).toEqual([told]);
      expect((await check(putBack, await fetchAll())).code).toBe(1);
    }),
  );

  it(
    'T119: go to no account but the one that is named',
    inAccount(async () => {
      const log = await copiedLog(newDirectory(), { bucketOwner: '444455556666' });
      await log.record('r1');
      await log.checkpoint();
      await until(() => log.failures.length > 0);
      expect(log.failures[0]).toBe('not_stored AccessDenied');
      expect(s3.objects.keys).toEqual([]);
      await clock.outlast(log.stop());
    }),
  );
});

describe('the check of a bucket at a start', () => {
  it(
    'T120: refuses one that never locked anything, and one that is not there',
    inAccount(async () => {
      const open = await startS3Server({ clock, bucket, owner, objectLock: false });
      await expect(copiesTo(open.url).copies.check()).rejects.toThrow('Object Lock');
      await open.stop();
      const absent = copiesTo(s3.url, { bucket: 'another' });
      await expect(absent.copies.check()).rejects.toThrow('there is no such bucket');
      const good = copiesTo(s3.url);
      await good.copies.check();
      expect(good.failures).toEqual([]);
    }),
  );

  it.each<readonly [string, S3Fault]>([
    ['refuses', { kind: 'error', status: 403, code: 'AccessDenied' }],
    ['is cut off', { kind: 'reset' }],
    ['answers without end', { kind: 'endless' }],
    ['says nothing', { kind: 'hang' }],
  ])('T120: is no reason not to serve while S3 %s: it is reported', async (_how, fault) => {
    await withEnvironment(credentials, async () => {
      s3.setFault(fault);
      const { copies, failures } = copiesTo(s3.url);
      const checked = copies.check();
      await (fault.kind === 'hang' ? clock.outlast(checked) : checked);
      expect(failures).toHaveLength(1);
      expect(failures[0]).toMatch(/^not_stored /);
    });
  });
});
