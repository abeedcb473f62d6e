/** The signing keys of the local issuer: how they are made, published and kept. */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { promisify } from 'node:util';

import { readStateText, writeStateText } from '../state-file.ts';

/** Plain data, so that a key can be handed over in a file or a variable. */
export interface TokenKey {
  readonly kid: string;
  /** PKCS#8, PEM. */
  readonly privateKeyPem: string;
}

/** Cognito signs ID tokens and access tokens with different keys of one JWKS. */
export interface KeySet {
  readonly access: TokenKey;
  readonly id: TokenKey;
}

export interface KeyHistory {
  /** Signs new tokens. */
  readonly current: KeySet;
  /** Still published, newest first, so that tokens from before a rotation verify. */
  readonly retired: readonly KeySet[];
}

/** The members that Cognito publishes for a key. */
export interface CognitoJwk {
  readonly alg: string;
  readonly e: string;
  readonly kid: string;
  readonly kty: 'RSA';
  readonly n: string;
  readonly use: 'sig';
}

export async function createIssuerKeys(): Promise<KeyHistory> {
  return { current: await createKeySet(), retired: [] };
}

export async function createKeySet(): Promise<KeySet> {
  const [access, id] = await Promise.all([createSigningKey(), createSigningKey()]);
  return { access, id };
}

/** A new RSA-2048 key. Without `kid`, one in the form Cognito uses: base64 of 32 random bytes. */
export async function createSigningKey(kid?: string): Promise<TokenKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return {
    kid: kid ?? randomBytes(32).toString('base64'),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** Reading a key takes longer than signing with it. */
const read = new WeakMap<TokenKey, KeyObject>();

/** @throws what OpenSSL says of a text that is no private key */
export function privateKeyOf(key: TokenKey): KeyObject {
  const known = read.get(key) ?? createPrivateKey(key.privateKeyPem);
  read.set(key, known);
  return known;
}

export function cognitoJwk(key: TokenKey, alg: 'RS256' | 'RS512'): CognitoJwk {
  const { e, n } = createPublicKey(privateKeyOf(key)).export({ format: 'jwk' });
  if (e === undefined || n === undefined)
    throw new Error(`signing key ${key.kid} is not an RSA key`);
  return { alg, e, kid: key.kid, kty: 'RSA', n, use: 'sig' };
}

/** The keys in `file`, or undefined where there is no such file. Throws if it holds anything else. */
export function loadIssuerKeys(file: string): KeyHistory | undefined {
  const text = readStateText(file);
  if (text === undefined) return undefined;
  try {
    const keys = JSON.parse(text) as KeyHistory;
    for (const set of [keys.current, ...keys.retired]) {
      cognitoJwk(set.access, 'RS256');
      cognitoJwk(set.id, 'RS256');
    }
    return keys;
  } catch (cause) {
    throw new Error(`${file} does not hold issuer keys; remove it to have new ones made`, {
      cause,
    });
  }
}

/** Mode 0600, replaced whole. */
export function saveIssuerKeys(file: string, keys: KeyHistory): void {
  writeStateText(file, `${JSON.stringify(keys, undefined, 2)}\n`);
}
