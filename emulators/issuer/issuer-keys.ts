/** The signing keys of the local issuer: how they are made, published and kept. */

import { createPrivateKey, createPublicKey, generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

import { readStateText, writeStateText } from '../state-file.ts';

/** Plain data, so that a key can be handed over in a file or a variable. */
export interface SigningKey {
  readonly kid: string;
  /** PKCS#8, PEM. */
  readonly privateKeyPem: string;
}

/** Cognito signs ID tokens and access tokens with different keys of one JWKS. */
export interface KeySet {
  readonly access: SigningKey;
  readonly id: SigningKey;
}

export interface IssuerKeys {
  /** Signs new tokens. */
  readonly current: KeySet;
  /** Still published, newest first, so that tokens from before a rotation verify. */
  readonly retired: readonly KeySet[];
}

/** The members that Cognito publishes for a key. */
export interface PublishedKey {
  readonly alg: string;
  readonly e: string;
  readonly kid: string;
  readonly kty: 'RSA';
  readonly n: string;
  readonly use: 'sig';
}

export async function createIssuerKeys(): Promise<IssuerKeys> {
  return { current: await createKeySet(), retired: [] };
}

export async function createKeySet(): Promise<KeySet> {
  const [access, id] = await Promise.all([createSigningKey(), createSigningKey()]);
  return { access, id };
}

/** A new RSA-2048 key. Without `kid`, one in the form Cognito uses: base64 of 32 random bytes. */
export async function createSigningKey(kid?: string): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return {
    kid: kid ?? randomBytes(32).toString('base64'),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

export function publishedKey(key: SigningKey, alg: 'RS256' | 'RS512'): PublishedKey {
  const { e, n } = createPublicKey(createPrivateKey(key.privateKeyPem)).export({ format: 'jwk' });
  if (e === undefined || n === undefined)
    throw new Error(`signing key ${key.kid} is not an RSA key`);
  return { alg, e, kid: key.kid, kty: 'RSA', n, use: 'sig' };
}

/** The keys in `file`, or undefined where there is no such file. Throws if it holds anything else. */
export function loadIssuerKeys(file: string): IssuerKeys | undefined {
  const text = readStateText(file);
  if (text === undefined) return undefined;
  try {
    const keys = JSON.parse(text) as IssuerKeys;
    for (const set of [keys.current, ...keys.retired]) {
      publishedKey(set.access, 'RS256');
      publishedKey(set.id, 'RS256');
    }
    return keys;
  } catch (cause) {
    throw new Error(`${file} does not hold issuer keys; remove it to have new ones made`, {
      cause,
    });
  }
}

/** Mode 0600, replaced whole. */
export function saveIssuerKeys(file: string, keys: IssuerKeys): void {
  writeStateText(file, `${JSON.stringify(keys, undefined, 2)}\n`);
}
