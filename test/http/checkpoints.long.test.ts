/** Checkpoints of a whole broker whose key is in a KMS, on loopback. */

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type KmsServer, startKmsServer } from '../../emulators/kms/kms-server.ts';
import { type S3Server, startS3Server } from '../../emulators/s3/s3-server.ts';
import { auditVerify } from '../../src/cli/audit-verify.ts';
import {
  type BrokerFixture,
  type ConfigInput,
  startBrokerFixture,
} from '../support/broker-fixture.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';
import { withEnvironment } from '../support/with-environment.ts';

let broker: BrokerFixture;
let kms: KmsServer;
let s3: S3Server | undefined;
afterEach(async () => {
  await s3?.stop();
  await kms.stop();
  await broker.stop();
});

const credentials = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' };

type Checkpoints = Partial<NonNullable<ConfigInput['audit']['checkpoints']>>;

async function start(kind: 'ed25519' | 'p256', checkpoints: Checkpoints = {}, clock?: TestClock) {
  kms = await startKmsServer(kind);
  broker = await startBrokerFixture({
    ...(clock === undefined ? {} : { clock }),
    configure: ({ audit, ...rest }) => ({
      ...rest,
      audit: {
        ...audit,
        checkpoints: {
          origin: 'example.com/audit',
          kms: { keyId: 'alias/audit', region: 'us-east-1', endpoint: kms.endpoint },
          ...checkpoints,
        },
      },
    }),
  });
}

const events = (msg: string) => broker.logs.filter((event) => event.msg === msg);
const signed = () => events('audit checkpoint');
const failed = () => events('no audit checkpoint; records are kept all the same');

describe('a broker whose audit log is signed for by a key in KMS', () => {
  it.each(['ed25519', 'p256'] as const)(
    'T101: writes checkpoints beside the log and into its own, which the public key of KMS bears out: %s',
    async (kind) => {
      await withEnvironment(credentials, async () => {
        const clock = createTestClock(Date.now());
        await start(kind, {}, clock);
        expect((await broker.issue('orders')).status).toBe(200);
        await clock.advance(1_000);
        await until(() => signed().length === 1);
        const key = join(broker.directory, 'key.pem');
        writeFileSync(key, kms.publicKey.export({ type: 'spki', format: 'pem' }));
        const kept = join(broker.directory, 'from-the-log.txt');
        writeFileSync(kept, String(signed()[0]?.['note']));
        const names = readdirSync(broker.auditDirectory).filter((it) =>
          /^checkpoint-\w{32}\.txt$/.test(it),
        );
        expect(names).toHaveLength(1);
        for (const checkpoint of [kept, broker.auditDirectory]) {
          let text = '';
          const out = (part: string) => {
            text += part;
          };
          const directory = broker.auditDirectory;
          const code = await auditVerify({
            directory: [directory],
            checkpoint,
            key,
            json: false,
            out,
          });
          expect({ code, text }).toMatchObject({ code: 0 });
        }
        const page = await broker.metrics();
        const seq = broker.auditRecords().at(-1)?.seq;
        expect(page.get('tokenbroker_audit_sequence')).toBe(seq);
        expect(page.get('tokenbroker_audit_checkpoint_sequence')).toBe(seq);
        expect(page.get('tokenbroker_audit_checkpoint_age_seconds')).toBe(0);
        expect(page.get('tokenbroker_audit_checkpoints_total{result="signed"}')).toBe(1);
      });
    },
  );

  it.each<readonly [string, Parameters<KmsServer['behave']>[0], RegExp]>([
    ['refuses', { error: 'AccessDeniedException' }, /^AccessDeniedException$/],
    ['says nothing', 'silent', /^(?:ETIMEDOUT|TimeoutError)$/],
    ['signs something else', 'forge', /^EBADSIGNATURE$/],
  ])(
    'T103: hands out credentials, all on record, while KMS %s; says so, and catches up afterwards',
    async (_what, how, errorCode) => {
      await withEnvironment(credentials, async () => {
        await start('p256', { deadlineMs: how === 'silent' ? 200 : 5_000, intervalSeconds: 1 });
        kms.behave(how);
        expect((await broker.issue('orders')).status).toBe(200);
        await until(() => failed().length > 0);
        expect(failed()[0]).toMatchObject({
          failure: 'not_signed',
          errorCode: expect.stringMatching(errorCode),
        });
        expect((await broker.issue('orders')).status).toBe(200);
        const page = await broker.metrics();
        expect(page.get('tokenbroker_audit_checkpoint_age_seconds')).toBeGreaterThan(0);
        expect(page.get('tokenbroker_audit_checkpoints_total{result="signed"}')).toBe(0);

        kms.behave('answer');
        const last = broker.auditRecords().at(-1)?.seq;
        await until(() => signed().at(-1)?.['seq'] === last);
      });
    },
  );

  it('T103: hands out credentials while KMS says nothing for eleven minutes, and the gauge of the alert shows it', async () => {
    await withEnvironment(credentials, async () => {
      const clock = createTestClock(Date.now());
      await start('p256', { deadlineMs: 200 }, clock);
      kms.behave('silent');
      for (const seconds of [1, 300, 400]) {
        expect((await broker.issue('orders')).status).toBe(200);
        await clock.advance(seconds * 1_000);
      }
      expect(signed()).toEqual([]);
      const page = await broker.metrics();
      expect(page.get('tokenbroker_audit_checkpoint_age_seconds')).toBeGreaterThan(600);
      const issued = broker.auditRecords().filter(({ outcome }) => outcome === 'issued');
      expect(issued).toHaveLength(3);
    });
  }, 120_000);

  it('T103: ends in time though KMS says nothing', async () => {
    await withEnvironment(credentials, async () => {
      await start('ed25519', { deadlineMs: 200 });
      kms.behave('silent');
      await broker.issue('orders');
      await broker.stopBroker();
      expect(signed()).toEqual([]);
      expect(broker.auditRecords().at(-1)).toMatchObject({ outcome: 'issued' });
    });
  });
});

describe('a broker whose checkpoints go to S3 as well', () => {
  const bucket = { bucket: 'evidence', bucketOwner: '111122223333', region: 'us-east-1' };

  async function startWithBucket(objectLock: boolean, clock: TestClock) {
    s3 = await startS3Server({
      clock,
      bucket: bucket.bucket,
      owner: bucket.bucketOwner,
      objectLock,
    });
    await start('p256', { s3: { ...bucket, endpoint: s3.url, retentionDays: 30 } }, clock);
    return s3;
  }

  it('T118: hands out credentials while S3 refuses for eleven minutes, which the gauge of the alert shows, and catches up', async () => {
    await withEnvironment(credentials, async () => {
      const clock = createTestClock(Date.now());
      const storage = await startWithBucket(true, clock);
      storage.setFault({ kind: 'error', status: 403, code: 'AccessDenied' });
      const refused = () =>
        events('audit checkpoint is not in S3, or not safe there; it is tried again');
      expect((await broker.issue('orders')).status).toBe(200);
      await clock.advance(1_000);
      await until(() => refused().length > 0);
      await clock.advance(660_000);
      expect((await broker.issue('orders')).status).toBe(200);
      const page = await broker.metrics();
      expect(page.get('tokenbroker_audit_checkpoint_copy_lag_seconds')).toBeGreaterThan(600);
      expect(
        page.get('tokenbroker_audit_checkpoint_copies_total{result="not_stored"}'),
      ).toBeGreaterThan(0);
      expect(page.get('tokenbroker_audit_checkpoint_copies_total{result="stored"}')).toBe(0);

      storage.setFault(undefined);
      while (storage.objects.keys.length === 0) await clock.advance(10_000);
      await until(() => events('audit checkpoint is in S3').length > 0);
      const after = await broker.metrics();
      expect(after.get('tokenbroker_audit_checkpoint_copy_lag_seconds')).toBe(0);
      expect(storage.objects.keys).toEqual([expect.stringMatching(/^checkpoints\/checkpoint-/)]);
    });
  }, 120_000);

  it('T120: does not start on a bucket that locks nothing, and says so', async () => {
    await withEnvironment(credentials, async () => {
      const started = startWithBucket(false, createTestClock(Date.now()));
      await expect(started).rejects.toThrow(/^audit\.checkpoints\.s3: .*Object Lock/);
    });
  });
});
