import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IssuedKey } from './issued-keys.ts';
import { StsError } from './sts-error.ts';

export interface SignedRequest {
  readonly method: string;
  /** Lower-case names, every value as it came. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  readonly body: Buffer;
}

export interface SigV4CheckOptions {
  /** Epoch milliseconds. */
  readonly now: number;
  readonly findKey: (accessKeyId: string) => IssuedKey | undefined;
}

const maxSkewMs = 5 * 60_000;

/**
 * Verifies the AWS Signature Version 4 of a request for `/` without a query, for the service `sts` in any region,
 * by computing it again (IAM User Guide, reference_sigv-create-signed-request). Returns the key that signed it;
 * throws the error AWS answers.
 */
export function checkSigV4(request: SignedRequest, { now, findKey }: SigV4CheckOptions): IssuedKey {
  const authorization = header(request, 'authorization');
  if (authorization === undefined) {
    throw new StsError('MissingAuthenticationToken', 'Request is missing Authentication Token');
  }
  const { accessKeyId, scope, signedHeaders, signature } = parseAuthorization(authorization);
  const signedAt = header(request, 'x-amz-date') ?? '';
  checkScope(scope, signedAt);
  checkSignedHeaders(request, signedHeaders);

  const key = findKey(accessKeyId);
  if (!key || !equal(header(request, 'x-amz-security-token') ?? '', key.sessionToken)) {
    const message = 'The security token included in the request is invalid.';
    throw new StsError('InvalidClientTokenId', message);
  }
  checkSkew(signedAt, now);
  if (!equal(signature, sign({ request, signedHeaders, scope, signedAt, key }))) {
    throw new StsError(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
  if (now >= key.expiresAt) {
    throw new StsError('ExpiredToken', 'The security token included in the request is expired');
  }
  return key;
}

interface Authorization {
  readonly accessKeyId: string;
  readonly scope: Scope;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

interface Scope {
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
}

function parseAuthorization(authorization: string): Authorization {
  const match = /^AWS4-HMAC-SHA256\s+(.*)$/.exec(authorization);
  if (!match) {
    throw incomplete("Authorization header must use the algorithm 'AWS4-HMAC-SHA256'.");
  }
  const parameters = new Map(
    (match[1] ?? '').split(',').map((part): [string, string] => {
      const [name = '', value = ''] = part.trim().split(/=(.*)/s);
      return [name, value];
    }),
  );
  const missing = ['Credential', 'Signature', 'SignedHeaders'].filter(
    (name) => !parameters.get(name),
  );
  if (missing.length > 0) {
    throw incomplete(
      missing.map((name) => `Authorization header requires '${name}' parameter.`).join(' '),
    );
  }
  const [accessKeyId, date, region, service, terminator, ...rest] = (
    parameters.get('Credential') ?? ''
  ).split('/');
  if (!accessKeyId || !date || !region || !service || !terminator || rest.length > 0) {
    throw incomplete('Credential must have exactly 5 slash-delimited elements.');
  }
  return {
    accessKeyId,
    scope: { date, region, service, terminator },
    signedHeaders: (parameters.get('SignedHeaders') ?? '').split(';'),
    signature: parameters.get('Signature') ?? '',
  };
}

function checkScope({ date, service, terminator }: Scope, signedAt: string): void {
  if (!/^\d{8}T\d{6}Z$/.test(signedAt)) {
    throw incomplete(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  if (service !== 'sts') throw mismatch("Credential should be scoped to correct service: 'sts'.");
  if (terminator !== 'aws4_request') {
    throw mismatch("Credential should be scoped with a valid terminator: 'aws4_request'.");
  }
  if (date !== signedAt.slice(0, 8)) {
    throw mismatch(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.',
    );
  }
}

/** An unsigned `x-amz-*` header could be put there by anybody on the way. */
function checkSignedHeaders(request: SignedRequest, signedHeaders: readonly string[]): void {
  const mustBeSigned = Object.keys(request.headers).filter(
    (name) => name === 'host' || name.startsWith('x-amz-'),
  );
  if (mustBeSigned.some((name) => !signedHeaders.includes(name))) {
    throw mismatch(
      "'Host' and every 'X-Amz-*' header must be a 'SignedHeader' in the AWS Authorization.",
    );
  }
}

function checkSkew(signedAt: string, now: number): void {
  const [, date, time] = /^(\d{8})T(\d{6})Z$/.exec(signedAt) ?? [];
  const iso = `${date}${time}`.replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6Z');
  const signedAtMs = Date.parse(iso);
  const earliest = now - maxSkewMs;
  const latest = now + maxSkewMs;
  if (signedAtMs >= earliest && signedAtMs <= latest) return;
  const message =
    signedAtMs > latest
      ? `Signature not yet current: ${signedAt} is still later than ${basic(latest)} (${basic(now)} + 5 min.)`
      : `Signature expired: ${signedAt} is now earlier than ${basic(earliest)} (${basic(now)} - 5 min.)`;
  throw mismatch(message);
}

interface SigningInput {
  readonly request: SignedRequest;
  readonly signedHeaders: readonly string[];
  readonly scope: Scope;
  readonly signedAt: string;
  readonly key: IssuedKey;
}

function sign({ request, signedHeaders, scope, signedAt, key }: SigningInput): string {
  const canonicalHeaders = signedHeaders.map(
    (name) => `${name}:${canonicalValue(request, name)}\n`,
  );
  const canonicalRequest = [
    request.method,
    '/',
    '',
    canonicalHeaders.join(''),
    signedHeaders.join(';'),
    sha256(request.body),
  ].join('\n');
  const scopeText = [scope.date, scope.region, scope.service, scope.terminator].join('/');
  const stringToSign = ['AWS4-HMAC-SHA256', signedAt, scopeText, sha256(canonicalRequest)].join(
    '\n',
  );
  const signingKey = [scope.date, scope.region, scope.service, scope.terminator].reduce<
    string | Buffer
  >((secret, part) => hmac(secret, part), `AWS4${key.secretAccessKey}`);
  return hmac(signingKey, stringToSign).toString('hex');
}

function canonicalValue(request: SignedRequest, name: string): string {
  const values = request.headers[name] ?? [];
  return values.map((value) => value.trim().replace(/ +/g, ' ')).join(',');
}

function header(request: SignedRequest, name: string): string | undefined {
  return request.headers[name]?.join(',');
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function hmac(secret: string | Buffer, content: string): Buffer {
  return createHmac('sha256', secret).update(content).digest();
}

function equal(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Epoch milliseconds → `20260115T120000Z`. */
function basic(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

function incomplete(message: string): StsError {
  return new StsError('IncompleteSignature', message);
}

function mismatch(message: string): StsError {
  return new StsError('SignatureDoesNotMatch', message);
}
