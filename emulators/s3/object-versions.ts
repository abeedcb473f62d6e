import { randomUUID } from 'node:crypto';
import type { Clock } from '../../src/kit/timing/clock.ts';
import { BucketError } from './bucket-error.ts';

export interface ObjectLock {
  readonly mode: string;
  /** Epoch milliseconds. */
  readonly retainUntil: number;
}

export interface ObjectVersion {
  readonly versionId: string;
  /** Undefined for a delete marker. */
  readonly body: Buffer | undefined;
  readonly lock: ObjectLock | undefined;
}

export interface PutOptions {
  readonly body: Buffer;
  readonly lock: ObjectLock | undefined;
  /** `If-None-Match: *`. */
  readonly onlyIfAbsent: boolean;
}

/**
 * The objects of a bucket with versions, as S3 keeps them under Object Lock: a name can always get another version or a
 * delete marker on top, and a version that is locked in compliance mode stays until its time, whoever asks.
 */
export class ObjectVersions {
  readonly #clock: Clock;
  readonly #versions = new Map<string, ObjectVersion[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get keys(): readonly string[] {
    return [...this.#versions.keys()];
  }

  versionsOf(key: string): readonly ObjectVersion[] {
    return this.#versions.get(key) ?? [];
  }

  put(key: string, { body, lock, onlyIfAbsent }: PutOptions): ObjectVersion {
    if (onlyIfAbsent && this.versionsOf(key).at(-1)?.body !== undefined) {
      throw new BucketError(
        412,
        'PreconditionFailed',
        'At least one of the pre-conditions you specified did not hold',
      );
    }
    if (lock !== undefined && !(lock.retainUntil > this.#clock.now())) {
      throw new BucketError(400, 'InvalidArgument', 'The retain until date must be in the future!');
    }
    return this.#push(key, body, lock);
  }

  /** Without a version, as if the object were gone; of a version, for ever. */
  delete(key: string, versionId: string | undefined): void {
    if (versionId === undefined) {
      this.#push(key, undefined, undefined);
      return;
    }
    const versions = this.versionsOf(key);
    const { lock } = versions.find((it) => it.versionId === versionId) ?? {};
    if (lock !== undefined && lock.retainUntil > this.#clock.now()) {
      throw new BucketError(
        403,
        'AccessDenied',
        'Access Denied because object protected by object lock.',
      );
    }
    this.#versions.set(
      key,
      versions.filter((it) => it.versionId !== versionId),
    );
  }

  get(key: string, versionId: string | undefined): ObjectVersion & { readonly body: Buffer } {
    const versions = this.versionsOf(key);
    const found =
      versionId === undefined ? versions.at(-1) : versions.find((it) => it.versionId === versionId);
    if (found?.body === undefined) {
      throw new BucketError(404, 'NoSuchKey', 'The specified key does not exist.');
    }
    return { ...found, body: found.body };
  }

  #push(key: string, body: Buffer | undefined, lock: ObjectLock | undefined): ObjectVersion {
    const version = { versionId: randomUUID(), body, lock };
    this.#versions.set(key, [...this.versionsOf(key), version]);
    return version;
  }
}
