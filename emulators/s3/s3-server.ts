import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Clock } from '../../src/kit/timing/clock.ts';
import type { XmlElement } from '../../src/sts-protocol/xml.ts';
import { closeServer, listenOnLoopback, readBody, staysOpen } from '../loopback-http.ts';
import { BucketError, bucketErrorXml } from './bucket-error.ts';
import { bucketXml } from './bucket-xml.ts';
import { type ObjectVersion, ObjectVersions } from './object-versions.ts';
import { BucketFaultSwitch, type S3Fault } from './s3-fault.ts';
import { checkBody, isSigned, lockOf, readRequest, type S3Request } from './s3-request.ts';

export interface S3ServerOptions {
  readonly clock: Clock;
  readonly bucket: string;
  /** Account id of the owner. */
  readonly owner: string;
  /** Default: true. */
  readonly objectLock?: boolean;
  /** Keys in a page of a list. Default: 1,000, the most that S3 gives. */
  readonly pageKeys?: number;
  /** Whether callers have s3:ListBucket, without which S3 does not say what it has not. Default: true. */
  readonly mayList?: boolean;
}

export interface S3Server {
  readonly url: string;
  readonly objects: ObjectVersions;
  /** Operations in the order in which they were asked for. */
  readonly operations: readonly string[];
  setFault(fault: S3Fault | undefined): void;
  stop(): Promise<void>;
}

/**
 * An S3 on loopback with one bucket, whose objects have versions and can be locked. It knows PutObject, GetObject,
 * HeadObject, DeleteObject, ListObjectsV2 and GetObjectLockConfiguration, takes any credentials, and holds what it is given in memory.
 */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const s3 = new LocalS3(options);
  const server = createServer(staysOpen, (req, res) => void s3.handle(req, res));
  const url = await listenOnLoopback(server);
  return {
    url,
    objects: s3.objects,
    operations: s3.operations,
    setFault: (fault) => s3.faults.set(fault),
    stop: () => closeServer(server),
  };
}

const maxBodyBytes = 1024 * 1024;

interface Answer {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

class LocalS3 {
  readonly objects: ObjectVersions;
  readonly operations: string[] = [];
  readonly faults = new BucketFaultSwitch();
  readonly #options: S3ServerOptions;

  constructor(options: S3ServerOptions) {
    this.#options = options;
    this.objects = new ObjectVersions(options.clock);
  }

  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const request = readRequest(req);
    const body = await readBody(req, maxBodyBytes);
    if (body.kind !== 'complete') return;
    this.operations.push(request.operation);
    const fault = this.faults.take(request.operation);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'endless') return writeForEver(res.writeHead(200));
    if (fault?.kind === 'reset') {
      res.socket?.resetAndDestroy();
      return;
    }
    try {
      if (fault?.kind === 'error') throw new BucketError(fault.status, fault.code, 'as asked');
      const answer = this.#answer(request, body.bytes, fault?.kind);
      if (fault?.kind === 'loseAnswer') res.socket?.resetAndDestroy();
      else res.writeHead(200, answer.headers).end(req.method === 'HEAD' ? '' : answer.body);
    } catch (error) {
      const told = error instanceof BucketError ? error : internal;
      res.writeHead(told.status, { 'content-type': 'application/xml' }).end(bucketErrorXml(told));
    }
  }

  #answer(request: S3Request, body: Buffer, lie: S3Fault['kind'] | undefined): Answer {
    this.#admit(request);
    const { operation, key, versionId } = request;
    switch (operation) {
      case 'GetObjectLockConfiguration':
        return { body: this.#lockConfiguration() };
      case 'ListObjectsV2':
        if (this.#options.mayList === false) throw accessDenied();
        return { body: this.#list(request) };
      case 'PutObject':
        return this.#put(request, body, lie);
      case 'GetObject':
      case 'HeadObject': {
        const version = this.#get(key, versionId);
        return { headers: headersOf(version), body: version.body };
      }
      case 'DeleteObject':
        this.objects.delete(key, versionId);
        return {};
      default:
        throw new BucketError(405, 'MethodNotAllowed', 'The local S3 does not know this operation');
    }
  }

  #get(key: string, versionId: string | undefined) {
    try {
      return this.objects.get(key, versionId);
    } catch (error) {
      const isAbsent = error instanceof BucketError && error.code === 'NoSuchKey';
      throw isAbsent && this.#options.mayList === false ? accessDenied() : error;
    }
  }

  #admit({ bucket, headers }: S3Request): void {
    if (!isSigned(headers)) throw accessDenied();
    if (bucket !== this.#options.bucket) {
      throw new BucketError(404, 'NoSuchBucket', 'The specified bucket does not exist');
    }
    const expected = headers['x-amz-expected-bucket-owner'];
    if (expected !== undefined && expected !== this.#options.owner) throw accessDenied();
  }

  /** In the order of their names; the token is the last name of the page before. */
  #list({ list: { prefix, after, most } }: S3Request): string {
    const isThere = (key: string) => this.objects.versionsOf(key).at(-1)?.body !== undefined;
    const keys = this.objects.keys
      .filter((key) => key.startsWith(prefix) && key > after && isThere(key))
      .sort((a, b) => (a < b ? -1 : 1));
    const page = keys.slice(0, Math.min(most, this.#options.pageKeys ?? 1000));
    const isTruncated = page.length < keys.length;
    return bucketXml('ListBucketResult', [
      ['IsTruncated', `${isTruncated}`],
      ['NextContinuationToken', isTruncated ? page.at(-1) : undefined],
      ...page.map((key): XmlElement => ['Contents', [['Key', key]]]),
    ]);
  }

  #lockConfiguration(): string {
    if (this.#options.objectLock === false) {
      throw new BucketError(
        404,
        'ObjectLockConfigurationNotFoundError',
        'Object Lock configuration does not exist for this bucket',
      );
    }
    return bucketXml('ObjectLockConfiguration', [['ObjectLockEnabled', 'Enabled']]);
  }

  #put({ key, headers }: S3Request, body: Buffer, lie: S3Fault['kind'] | undefined): Answer {
    const lock = lockOf(headers);
    checkBody(headers, body);
    if (lock !== undefined && this.#options.objectLock === false) {
      throw new BucketError(400, 'InvalidRequest', 'Bucket is missing Object Lock Configuration');
    }
    if (lie === 'forget') return {};
    const version = this.objects.put(key, {
      body: lie === 'alter' ? Buffer.from('something else\n') : body,
      lock: lie === 'leaveOpen' ? undefined : lock,
      onlyIfAbsent: headers['if-none-match'] === '*',
    });
    return { headers: { 'x-amz-version-id': version.versionId } };
  }
}

function accessDenied(): BucketError {
  return new BucketError(403, 'AccessDenied', 'Access Denied');
}

const internal = new BucketError(500, 'InternalError', 'The local S3 failed');

function headersOf({ versionId, lock }: ObjectVersion): Readonly<Record<string, string>> {
  return {
    'x-amz-version-id': versionId,
    ...(lock && {
      'x-amz-object-lock-mode': lock.mode,
      'x-amz-object-lock-retain-until-date': new Date(lock.retainUntil).toISOString(),
    }),
  };
}

function writeForEver(res: ServerResponse): void {
  if (res.destroyed) return;
  res.write(' '.repeat(4096), () => setImmediate(writeForEver, res));
}
