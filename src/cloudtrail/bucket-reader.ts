/** Objects below a prefix of an S3 bucket: listed page by page, and read whole or into files, each within limits. */

import { open } from 'node:fs/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { collectUpTo } from '../aws/bounded-answers.ts';
import type { AwsEndpoint } from '../aws/hermetic-settings.ts';
import { type S3, s3Client } from '../aws/s3-client.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { withDeadline } from '../kit/timing/with-deadline.ts';

export interface BucketPrefix {
  readonly bucket: string;
  readonly prefix: string;
}

const urlForm = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s;

/** Undefined for what is no s3:// URL: a folder, then. */
export function parseBucketUrl(text: string): BucketPrefix | undefined {
  const [, bucket, prefix = ''] = urlForm.exec(text) ?? [];
  return bucket === undefined ? undefined : { bucket, prefix };
}

/** Codes of S3, and the error of the SDK for a name that no URL can have. */
const absent = new Set(['NoSuchKey', 'KeyTooLongError', 'InvalidURI', 'URIError']);

/** What S3, or what answers in its place, does not give. The message says what was asked of it, and what it said. */
export class BucketReadError extends Error {
  override readonly name = 'BucketReadError';

  /** Whether there is nothing to give: no such object yet, or none by such a name ever. */
  get isAbsent(): boolean {
    return absent.has(this.#causeName);
  }

  /** Whether asking again gets the same: there is no such object, or it is too large. */
  get isFinal(): boolean {
    return this.isAbsent || this.#causeName === 'BucketReadError';
  }

  get #causeName(): string {
    return ((this.cause ?? {}) as Partial<Error>).name ?? '';
  }
}

export interface BucketReaderOptions extends AwsEndpoint {
  /** Account that must own the buckets: one of that name may by now be another's. */
  readonly bucketOwner: string | undefined;
  readonly clock: Clock;
  /** For the headers of one answer. */
  readonly requestTimeoutMs?: number;
  /** For a whole object. */
  readonly objectTimeoutMs?: number;
  /** Of one list. */
  readonly mostPages?: number;
}

/** A thousand keys of 1,024 bytes, each with its XML. */
const maxListBytes = 4 * 1024 * 1024;
/** A hundred million objects: what an organisation of a hundred accounts keeps in half a year. */
const defaultMostPages = 100_000;

export class BucketReader {
  readonly #options: BucketReaderOptions;
  #loading: Promise<{ readonly s3: S3; readonly client: S3Client }> | undefined;

  constructor(options: BucketReaderOptions) {
    this.#options = options;
  }

  /** In the order of their names, a page at a time: a trail of years is more than fits into memory. @throws BucketReadError */
  async *keys({ bucket, prefix }: BucketPrefix): AsyncGenerator<string> {
    const { mostPages = defaultMostPages } = this.#options;
    let token: string | undefined;
    for (let page = 0; page < mostPages; page += 1) {
      const answer = await this.#page({ bucket, prefix }, token);
      for (const { Key } of answer.Contents ?? []) if (Key?.startsWith(prefix)) yield Key;
      const next = answer.NextContinuationToken;
      if (answer.IsTruncated !== true) return;
      if (next === undefined || next === token)
        throw new BucketReadError(`the list of s3://${bucket}/${prefix} has no end`);
      token = next;
    }
    throw new BucketReadError(
      `s3://${bucket}/${prefix} has more than ${mostPages} pages of objects: give longer prefixes, such as one for each account`,
    );
  }

  /** @throws BucketReadError */
  async bytes(bucket: string, key: string, maxBytes: number): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    await this.#read(bucket, key, maxBytes, (part) => void parts.push(part));
    return Buffer.concat(parts);
  }

  /** Into a new file that nobody else can read. @throws BucketReadError, or the error of the file system */
  async download(bucket: string, key: string, file: string, maxBytes: number): Promise<void> {
    const handle = await open(file, 'wx', 0o600);
    try {
      await this.#read(bucket, key, maxBytes, async (part) => {
        // Unlike `write`, which may take a part of it only.
        await handle.appendFile(part);
      });
    } finally {
      await handle.close();
    }
  }

  stop(): void {
    this.#loading?.then(({ client }) => client.destroy()).catch(() => {});
  }

  async #page({ bucket, prefix }: BucketPrefix, token: string | undefined) {
    const { clock, requestTimeoutMs = defaultRequestMs } = this.#options;
    try {
      const { s3, client } = await this.#load();
      const ask = new s3.ListObjectsV2Command({
        ...this.#bucket(bucket),
        Prefix: prefix,
        ContinuationToken: token,
      });
      return await withDeadline({ clock, timeoutMs: 3 * requestTimeoutMs }, (abortSignal) =>
        client.send(ask, { abortSignal }),
      );
    } catch (error) {
      throw told(`s3://${bucket}/${prefix} cannot be listed`, error);
    }
  }

  async #read(
    bucket: string,
    key: string,
    maxBytes: number,
    onPart: (part: Uint8Array) => void | Promise<void>,
  ): Promise<void> {
    const { clock, objectTimeoutMs = defaultObjectMs } = this.#options;
    try {
      const { s3, client } = await this.#load();
      const ask = new s3.GetObjectCommand({ ...this.#bucket(bucket), Key: key });
      await withDeadline({ clock, timeoutMs: objectTimeoutMs }, async (abortSignal) => {
        const { Body } = await client.send(ask, { abortSignal });
        const body = Body as (AsyncIterable<Uint8Array> & { destroy?(): void }) | undefined;
        abortSignal.addEventListener('abort', () => body?.destroy?.(), { once: true });
        let left = maxBytes;
        // Leaving the loop early destroys the stream, and with it the socket.
        for await (const part of body ?? []) {
          left -= part.length;
          if (left < 0) throw new BucketReadError(`it has more than ${maxBytes} bytes`);
          await onPart(part);
        }
      });
    } catch (error) {
      throw told(`s3://${bucket}/${key} cannot be read`, error, absentOrDenied);
    }
  }

  #bucket(bucket: string) {
    return { Bucket: bucket, ExpectedBucketOwner: this.#options.bucketOwner };
  }

  #load() {
    const { region, endpoint, requestTimeoutMs = defaultRequestMs } = this.#options;
    const streamCollector = (stream: AsyncIterable<Uint8Array>) =>
      collectUpTo(stream, maxListBytes);
    this.#loading ??= import('@aws-sdk/client-s3').then((s3) => ({
      s3,
      client: s3Client(s3, { region, endpoint, requestTimeoutMs, streamCollector }),
    }));
    return this.#loading;
  }
}

const defaultRequestMs = 10_000;
const defaultObjectMs = 300_000;

/** S3 tells of a missing object only whoever may list it. */
const absentOrDenied =
  ', which S3 also says of what it does not have where s3:ListBucket is missing';

/** The name of the error is S3's code, such as AccessDenied. */
function told(what: string, error: unknown, ofDenied = ''): BucketReadError {
  const { name, message } = error as Error;
  const code = name === 'AccessDenied' ? name + ofDenied : name;
  const why = error instanceof BucketReadError ? message : code;
  return new BucketReadError(`${what}: ${why}`, { cause: error });
}
