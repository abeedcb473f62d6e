import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { BucketError } from './bucket-error.ts';
import type { ObjectLock } from './object-versions.ts';

export interface S3Request {
  /** As the API Reference names it. */
  readonly operation: string;
  readonly bucket: string;
  readonly key: string;
  readonly versionId: string | undefined;
  /** Of ListObjectsV2. */
  readonly list: { readonly prefix: string; readonly after: string; readonly most: number };
  readonly headers: IncomingHttpHeaders;
}

/** Of a bucket that is the first part of the path, as it is where the endpoint is an address. */
export function readRequest({ method = '', url = '/', headers }: IncomingMessage): S3Request {
  const { pathname, searchParams } = new URL(url, 'http://s3');
  const [, bucket = '', ...names] = pathname.split('/').map(decodeURIComponent);
  const key = names.join('/');
  return {
    operation: operationOf(method, key !== '', searchParams),
    bucket,
    key,
    versionId: searchParams.get('versionId') ?? undefined,
    list: {
      prefix: searchParams.get('prefix') ?? '',
      after: searchParams.get('continuation-token') ?? '',
      most: Number(searchParams.get('max-keys') ?? 1000),
    },
    headers,
  };
}

function operationOf(method: string, ofObject: boolean, query: URLSearchParams): string {
  if (!ofObject) {
    if (method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2';
    return method === 'GET' && query.has('object-lock') ? 'GetObjectLockConfiguration' : 'Unknown';
  }
  const operations: Readonly<Record<string, string>> = {
    PUT: 'PutObject',
    GET: 'GetObject',
    HEAD: 'HeadObject',
    DELETE: 'DeleteObject',
  };
  return operations[method] ?? 'Unknown';
}

/** Whether it is signed at all: this server takes any credentials. */
export function isSigned({ authorization = '' }: IncomingHttpHeaders): boolean {
  return /^AWS4-HMAC-SHA256 Credential=[^,]+\/s3\/aws4_request,/.test(authorization);
}

/** Undefined without the headers of Object Lock. @throws BucketError where they do not fit together */
export function lockOf(headers: IncomingHttpHeaders): ObjectLock | undefined {
  const mode = headers['x-amz-object-lock-mode'];
  const until = headers['x-amz-object-lock-retain-until-date'];
  if (mode === undefined && until === undefined) return undefined;
  if (typeof mode !== 'string' || !/^(?:GOVERNANCE|COMPLIANCE)$/.test(mode)) {
    throw new BucketError(400, 'InvalidArgument', 'Unknown wormMode directive.');
  }
  if (headers['content-md5'] === undefined && checksumOf(headers) === undefined) {
    throw new BucketError(
      400,
      'InvalidRequest',
      'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters',
    );
  }
  return { mode, retainUntil: Date.parse(String(until)) };
}

/** @throws BucketError where the body is not what the checksum says */
export function checkBody(headers: IncomingHttpHeaders, body: Buffer): void {
  const expected = checksumOf(headers);
  if (expected === undefined) return;
  if (expected !== createHash('sha256').update(body).digest('base64')) {
    throw new BucketError(400, 'BadDigest', 'The SHA256 you specified did not match');
  }
}

/** The one kind of checksum that this server knows. */
function checksumOf(headers: IncomingHttpHeaders): string | undefined {
  const checksum = headers['x-amz-checksum-sha256'];
  return typeof checksum === 'string' ? checksum : undefined;
}
