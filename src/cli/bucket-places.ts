/** Prefixes of S3 buckets where a command takes folders: trails are read where they are, audit logs are copied first. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isAuditFile } from '../audit/audit-files.ts';
import { type BucketPrefix, BucketReader, parseBucketUrl } from '../cloudtrail/bucket-reader.ts';
import {
  isTrailFile,
  maxFileBytes,
  type TrailPlace,
  trailFolder,
} from '../cloudtrail/trail-files.ts';
import { regionPattern } from '../core/aws-names.ts';
import { makeFolder } from '../kit/files/make-folder.ts';
import { isSecureUrl } from '../kit/net/secure-url.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { UncheckableError } from './recorded-sessions.ts';

export interface BucketAccess {
  /** Of the buckets. Needed where there are some. */
  readonly region: string | undefined;
  /** Default: that of the Region. */
  readonly endpoint: string | undefined;
  /** Account that must own the buckets. */
  readonly bucketOwner: string | undefined;
}

/** No file of a log is near it, whatever `audit.rotateBytes` says in sound configurations. */
const maxLogFileBytes = 4 * 1024 * 1024 * 1024;
const folderName = /^(?!\.{1,2}$)[A-Za-z0-9._=@+,-]{1,200}$/;

export class BucketPlaces {
  readonly #access: BucketAccess;
  readonly #clock: Clock;
  #reader: BucketReader | undefined;
  readonly #copies: string[] = [];

  constructor(access: BucketAccess, clock: Clock) {
    this.#access = access;
    this.#clock = clock;
  }

  /** @throws UncheckableError */
  trail(location: string): TrailPlace {
    const given = parseBucketUrl(location);
    if (given === undefined) return trailFolder(location);
    const reader = this.#reading();
    const root = `s3://${given.bucket}/`;
    return {
      async *names() {
        for await (const key of reader.keys(given)) if (isTrailFile(key)) yield root + key;
      },
      bytes: (name) => reader.bytes(given.bucket, name.slice(root.length), maxFileBytes),
      extent: () => Promise.resolve(''),
      nameOf({ bucket, key }) {
        const isBelow = bucket === given.bucket && key.startsWith(given.prefix);
        return isBelow ? root + key : undefined;
      },
    };
  }

  /** Folders with what is there; those in buckets are copies that nobody else can read. @throws UncheckableError, BucketReadError */
  async logFolders(locations: readonly string[]): Promise<readonly string[]> {
    const folders: string[] = [];
    for (const location of locations) {
      const given = parseBucketUrl(location);
      folders.push(given === undefined ? location : await this.#copy(given));
    }
    return folders;
  }

  async removeCopies(): Promise<void> {
    for (const copy of this.#copies.splice(0)) await rm(copy, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    this.#reader?.stop();
    await this.removeCopies();
  }

  async #copy(given: BucketPrefix): Promise<string> {
    const reader = this.#reading();
    const folder = await mkdtemp(path.join(tmpdir(), 'token-broker-audit-'));
    this.#copies.push(folder);
    for await (const key of reader.keys(given)) {
      const parts = key.slice(given.prefix.length).split('/').filter(isNamed);
      if (!isAuditFile(parts.at(-1) ?? '')) continue;
      if (!parts.every((part) => folderName.test(part))) {
        throw new UncheckableError(
          `s3://${given.bucket}/${key} has a name that no folder of a log has: give a prefix that is below it or beside it.`,
        );
      }
      const file = path.join(folder, ...parts);
      await makeFolder(path.dirname(file), 0o700);
      await reader.download(given.bucket, key, file, maxLogFileBytes);
    }
    return folder;
  }

  #reading(): BucketReader {
    const { region, endpoint, bucketOwner } = this.#access;
    if (region === undefined || !regionPattern.test(region))
      throw new UncheckableError('Say with --region which Region the buckets are in.');
    if (endpoint !== undefined && !(URL.canParse(endpoint) && isSecureUrl(new URL(endpoint))))
      throw new UncheckableError('Write --s3-endpoint as an https URL.');
    if (bucketOwner !== undefined && !/^\d{12}$/.test(bucketOwner))
      throw new UncheckableError('Write --bucket-owner as an account id of 12 digits.');
    this.#reader ??= new BucketReader({ region, endpoint, bucketOwner, clock: this.#clock });
    return this.#reader;
  }
}

function isNamed(part: string): boolean {
  return part !== '';
}
