/**
 * AWS Signature Version 4, seen from the side that verifies it: computed again and compared (IAM User Guide,
 * "Create a signed AWS API request").
 */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface SignedRequest {
  readonly method: string;
  /** As the request line has it, without a query: the signature covers the path as the client wrote it. */
  readonly path: string;
  /** Name, value, name, value, …: as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** Temporary keys that were handed out. */
export interface SigningKey {
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface SignatureCheckOptions<Key extends SigningKey> {
  /** Name of the service in the credential scope; any region will do. */
  readonly service: string;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly findKey: (accessKeyId: string) => Key | undefined;
}

/** As AWS names them (IAM User Guide, "Common error types"). */
export type SignatureFault =
  | 'MissingAuthenticationToken'
  | 'IncompleteSignature'
  | 'SignatureDoesNotMatch'
  | 'InvalidClientTokenId'
  | 'ExpiredToken';

export class SignatureError extends Error {
  override readonly name = 'SignatureError';
  readonly code: SignatureFault;

  /** `message` is what AWS says, and repeats nothing of the request but its well-formed date. */
  constructor(code: SignatureFault, message: string) {
    super(message);
    this.code = code;
  }
}

const maxSkewMs = 5 * 60_000;

/**
 * The keys that signed this request, which has no query.
 *
 * @throws SignatureError
 */
export function checkSignatureV4<Key extends SigningKey>(
  request: SignedRequest,
  { service, now, findKey }: SignatureCheckOptions<Key>,
): Key {
  const headers = headerFields(request.rawHeaders);
  const authorization = header(headers, 'authorization');
  if (authorization === undefined) {
    throw new SignatureError(
      'MissingAuthenticationToken',
      'Request is missing Authentication Token',
    );
  }
  const { accessKeyId, scope, signedHeaders, signature } = parseAuthorization(authorization);
  const signedAt = header(headers, 'x-amz-date') ?? '';
  checkScope(scope, service, signedAt);
  checkSignedHeaders(headers, signedHeaders);

  const key = findKey(accessKeyId);
  if (!key || !equal(header(headers, 'x-amz-security-token') ?? '', key.sessionToken)) {
    const message = 'The security token included in the request is invalid.';
    throw new SignatureError('InvalidClientTokenId', message);
  }
  checkSkew(signedAt, now);
  const { secretAccessKey } = key;
  const expected = sign({ request, headers, signedHeaders, scope, signedAt, secretAccessKey });
  if (!equal(signature, expected)) {
    throw mismatch(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
  if (now >= key.expiresAt) {
    const message = 'The security token included in the request is expired';
    throw new SignatureError('ExpiredToken', message);
  }
  return key;
}

/** By lower-case name. A map: a header may be called like a member that every object has. */
type HeaderFields = ReadonlyMap<string, readonly string[]>;

function headerFields(rawHeaders: readonly string[]): HeaderFields {
  const fields = new Map<string, string[]>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    fields.set(name, [...(fields.get(name) ?? []), rawHeaders[at + 1] as string]);
  }
  return fields;
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

function checkScope(
  { date, service, terminator }: Scope,
  expectedService: string,
  signedAt: string,
): void {
  if (!/^\d{8}T\d{6}Z$/.test(signedAt)) {
    throw incomplete(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    );
  }
  if (service !== expectedService) {
    throw mismatch(`Credential should be scoped to correct service: '${expectedService}'.`);
  }
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
function checkSignedHeaders(headers: HeaderFields, signedHeaders: readonly string[]): void {
  const mustBeSigned = [...headers.keys()].filter(
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
  readonly headers: HeaderFields;
  readonly signedHeaders: readonly string[];
  readonly scope: Scope;
  readonly signedAt: string;
  readonly secretAccessKey: string;
}

function sign(input: SigningInput): string {
  const { request, headers, signedHeaders, scope, signedAt, secretAccessKey } = input;
  const canonicalHeaders = signedHeaders.map(
    (name) => `${name}:${canonicalValue(headers, name)}\n`,
  );
  const canonicalRequest = [
    request.method,
    request.path,
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
  >((secret, part) => hmac(secret, part), `AWS4${secretAccessKey}`);
  return hmac(signingKey, stringToSign).toString('hex');
}

function canonicalValue(headers: HeaderFields, name: string): string {
  const values = headers.get(name) ?? [];
  return values.map((value) => value.trim().replace(/ +/g, ' ')).join(',');
}

function header(headers: HeaderFields, name: string): string | undefined {
  return headers.get(name)?.join(',');
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

function incomplete(message: string): SignatureError {
  return new SignatureError('IncompleteSignature', message);
}

function mismatch(message: string): SignatureError {
  return new SignatureError('SignatureDoesNotMatch', message);
}
