/** Signs tokens, good ones and any other kind: what is signed is exactly what the test wrote. */

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { rsaKeyPair } from './rsa-keys.ts';

export type TestAlgorithm = 'RS256' | 'RS512';

export interface TestKey {
  readonly kid: string;
  readonly algorithm: TestAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** As an issuer publishes it. */
  readonly jwk: { readonly n: string; readonly e: string } & Readonly<Record<string, unknown>>;
}

export interface TestKeyOptions {
  readonly bits?: number;
  readonly publicExponent?: number;
  readonly algorithm?: TestAlgorithm;
}

export function createTestKey(kid: string, options: TestKeyOptions = {}): TestKey {
  const { bits = 2048, publicExponent = 65537, algorithm = 'RS256' } = options;
  const { privateKey, publicKey } =
    bits === 2048 && publicExponent === 65537
      ? rsaKeyPair()
      : generateKeyPairSync('rsa', { modulusLength: bits, publicExponent });
  return testKey(kid, algorithm, privateKey, publicKey);
}

/** The same key under another name or for another algorithm. */
export function renamedKey(key: TestKey, kid: string, algorithm = key.algorithm): TestKey {
  return testKey(kid, algorithm, key.privateKey, key.publicKey);
}

function testKey(
  kid: string,
  algorithm: TestAlgorithm,
  privateKey: KeyObject,
  publicKey: KeyObject,
): TestKey {
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const jwk = { kty: 'RSA', use: 'sig', alg: algorithm, kid, n, e };
  return { kid, algorithm, privateKey, publicKey, jwk };
}

export interface MintOptions {
  /** Members are added to `alg` and `kid`; an undefined one is left out. */
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

export function mintToken(key: TestKey, { header, claims }: MintOptions): string {
  return signRaw(
    key,
    JSON.stringify({ alg: key.algorithm, kid: key.kid, ...header }),
    JSON.stringify(claims),
  );
}

/** Signs any bytes as header and payload. */
export function signRaw(
  key: TestKey,
  header: string | Uint8Array,
  payload: string | Uint8Array,
): string {
  return signSegments(key, base64url(header), base64url(payload));
}

/** Signs the two segments as they are spelled. */
export function signSegments(key: TestKey, header: string, payload: string): string {
  const input = `${header}.${payload}`;
  const digest = key.algorithm === 'RS256' ? 'sha256' : 'sha512';
  return `${input}.${sign(digest, Buffer.from(input), key.privateKey).toString('base64url')}`;
}

export function base64url(content: string | Uint8Array): string {
  return Buffer.from(content).toString('base64url');
}

/** The claims of an access token of a user, as Cognito documents them, issued `now` for one hour. */
export function accessClaims(
  issuer: string,
  now: number,
  changes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const nowSeconds = Math.floor(now / 1000);
  return {
    sub: '7d8e2a5c-1111-4222-8333-944445555666',
    'cognito:groups': ['billing'],
    iss: issuer,
    version: 2,
    client_id: testClient,
    origin_jti: 'b1b2b3b4-0000-4000-8000-000000000001',
    event_id: 'b1b2b3b4-0000-4000-8000-000000000002',
    token_use: 'access',
    scope: 'orders/read orders/write',
    auth_time: nowSeconds,
    exp: nowSeconds + 3600,
    iat: nowSeconds,
    jti: 'b1b2b3b4-0000-4000-8000-000000000003',
    username: 'ada',
    ...changes,
  };
}

/** The claims of a token of the client-credentials grant. */
export function machineClaims(
  issuer: string,
  now: number,
  changes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const nowSeconds = Math.floor(now / 1000);
  return {
    sub: testClient,
    token_use: 'access',
    scope: 'orders/write',
    auth_time: nowSeconds,
    iss: issuer,
    exp: nowSeconds + 3600,
    iat: nowSeconds,
    version: 2,
    jti: 'b1b2b3b4-0000-4000-8000-000000000004',
    client_id: testClient,
    ...changes,
  };
}

export function idClaims(
  issuer: string,
  now: number,
  changes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const nowSeconds = Math.floor(now / 1000);
  return {
    sub: '7d8e2a5c-1111-4222-8333-944445555666',
    aud: testClient,
    'cognito:groups': ['billing'],
    email: 'ada@example.com',
    email_verified: true,
    iss: issuer,
    'cognito:username': 'ada',
    token_use: 'id',
    auth_time: nowSeconds,
    exp: nowSeconds + 3600,
    iat: nowSeconds,
    jti: 'b1b2b3b4-0000-4000-8000-000000000005',
    ...changes,
  };
}

/** The claims of an OpenID token of an identity pool. */
export function openIdClaims(
  issuer: string,
  pool: string,
  now: number,
  changes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const nowSeconds = Math.floor(now / 1000);
  return {
    sub: 'us-east-1:0a1b2c3d-1111-4222-8333-944445555666',
    aud: pool,
    amr: ['authenticated', 'graph.facebook.com', 'graph.facebook.com:17:42'],
    iss: issuer,
    exp: nowSeconds + 600,
    iat: nowSeconds,
    ...changes,
  };
}

export const testClient = '4abc0exampleclientid';
