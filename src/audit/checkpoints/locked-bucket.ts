/** Checkpoints in an S3 bucket with Object Lock, in compliance mode: not even the account's root can remove them. */

import { createHash } from 'node:crypto';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { collectBounded } from '../../aws/bounded-answers.ts';
import type { AwsEndpoint } from '../../aws/hermetic-settings.ts';
import { type S3, s3Client } from '../../aws/s3-client.ts';
import type { CheckpointCopy, WriteOnceStore } from './checkpoint-copies.ts';
import { LockedBucketError } from './locked-bucket-error.ts';
import { isSignedBy, parseNote } from './signed-note.ts';

export interface LockedBucketOptions extends AwsEndpoint {
  readonly bucket: string;
  /** Account that must own it: a bucket of that name may by now be another's. */
  readonly bucketOwner: string;
  /** What keys begin with. */
  readonly prefix: string;
  readonly retentionDays: number;
  /** For one try of one call; there are two. */
  readonly requestTimeoutMs: number;
}

const daySeconds = 86_400;

/** The SDK's client is loaded with the first call: nobody else pays for it. */
export class LockedBucket implements WriteOnceStore {
  readonly #options: LockedBucketOptions;
  #loading: Promise<{ readonly s3: S3; readonly client: S3Client }> | undefined;

  constructor(options: LockedBucketOptions) {
    this.#options = options;
  }

  /** Only of a bucket that never had a lock: one that has it cannot lose it, nor be deleted with what it holds. */
  async check(signal: AbortSignal): Promise<void> {
    const { s3, client } = await this.#load();
    const asked = new s3.GetObjectLockConfigurationCommand(this.#bucket());
    try {
      const { ObjectLockConfiguration } = await client.send(asked, { abortSignal: signal });
      if (ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled') return;
    } catch (error) {
      if (!isNamed(error, 'ObjectLockConfigurationNotFoundError', 'NoSuchBucket')) throw error;
    }
    throw new LockedBucketError(
      'not_locked',
      'ENOLOCK',
      'there is no such bucket, or it has no Object Lock: create it with Object Lock enabled, as aws/token-broker.yaml does',
    );
  }

  async keep(copy: CheckpointCopy, signal: AbortSignal): Promise<void> {
    const seconds = Math.ceil(copy.signedAtMs / 1000) + this.#options.retentionDays * daySeconds;
    const until = new Date(seconds * 1000);
    await this.#put(copy, until, signal);
    // What counts is what can be read there, whatever the answer to the write was.
    await this.#checkThere(copy, until, signal);
  }

  stop(): void {
    this.#loading?.then(({ client }) => client.destroy()).catch(() => {});
  }

  /** Once for each position: S3 refuses to write over what it has. */
  async #put(copy: CheckpointCopy, until: Date, signal: AbortSignal): Promise<void> {
    const { s3, client } = await this.#load();
    const put = new s3.PutObjectCommand({
      ...this.#object(copy),
      Body: copy.note,
      ContentType: 'text/plain; charset=utf-8',
      // Object Lock asks for a checksum.
      ChecksumSHA256: createHash('sha256').update(copy.note).digest('base64'),
      IfNoneMatch: '*',
      ObjectLockMode: 'COMPLIANCE',
      ObjectLockRetainUntilDate: until,
    });
    try {
      await client.send(put, { abortSignal: signal });
    } catch (error) {
      // By us, perhaps, whom the answer did not reach.
      if (!isNamed(error, 'PreconditionFailed')) throw error;
    }
  }

  async #checkThere(copy: CheckpointCopy, until: Date, signal: AbortSignal): Promise<void> {
    const { s3, client } = await this.#load();
    const get = new s3.GetObjectCommand(this.#object(copy));
    const found = await client.send(get, { abortSignal: signal });
    const note = Buffer.from(await collectBounded(bodyOf(found))).toString();
    if (!saysTheSame(note, copy)) {
      throw new LockedBucketError(
        'contradicts',
        'ECONTRADICTS',
        'the bucket has something else at the position of this checkpoint',
      );
    }
    const { ObjectLockMode, ObjectLockRetainUntilDate = new Date(0) } = found;
    if (ObjectLockMode !== 'COMPLIANCE' || ObjectLockRetainUntilDate < until) {
      throw new LockedBucketError(
        'not_locked',
        'ENOLOCK',
        'the checkpoint in the bucket is not locked',
      );
    }
  }

  #object({ chain, size }: CheckpointCopy) {
    // Names in the order of the records; `audit verify` reads a folder of them.
    const name = `checkpoint-${chain}-${String(size).padStart(15, '0')}.txt`;
    return { ...this.#bucket(), Key: `${this.#options.prefix}${name}` };
  }

  #bucket() {
    return { Bucket: this.#options.bucket, ExpectedBucketOwner: this.#options.bucketOwner };
  }

  #load() {
    this.#loading ??= import('@aws-sdk/client-s3').then((s3) => ({
      s3,
      client: s3Client(s3, { ...endpointOf(this.#options), streamCollector: collectBounded }),
    }));
    return this.#loading;
  }
}

function endpointOf({ region, endpoint, requestTimeoutMs }: LockedBucketOptions) {
  return { region, endpoint, requestTimeoutMs };
}

function bodyOf({ Body }: GetObjectCommandOutput): AsyncIterable<Uint8Array> {
  return (Body ?? []) as AsyncIterable<Uint8Array>;
}

/** ECDSA makes another signature each time, so two notes can be one statement. */
function saysTheSame(found: string, { note, publicKey }: CheckpointCopy): boolean {
  if (found === note) return true;
  const parsed = parseNote(found);
  return (
    parsed !== undefined && parsed.text === parseNote(note)?.text && isSignedBy(parsed, publicKey)
  );
}

function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}
