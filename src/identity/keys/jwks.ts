/** A JSON Web Key Set (RFC 7517) as this service accepts it: keys for signatures, strong and unambiguous. */

import { createPublicKey, type KeyObject } from 'node:crypto';
import { privateMembersOf } from '../../kit/jose/private-members.ts';
import {
  isJsonObject,
  isStringList,
  type JsonObject,
  memberOf,
} from '../../kit/json/json-object.ts';
import { parseStrictJson, StrictJsonError } from '../../kit/json/strict-json.ts';
import type { KeyType } from './key-type.ts';

export type PublicJwk = {
  readonly kty: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: string;
  readonly [member: string]: string;
};

export interface VerificationKey {
  readonly jwk: PublicJwk;
  readonly publicKey: KeyObject;
}

/** By `kid`. */
export type VerificationKeys = ReadonlyMap<string, VerificationKey>;

export class JwksError extends Error {
  override readonly name = 'JwksError';
}

/** @throws JwksError when the set as a whole cannot be relied on. */
export function parseJwks(bytes: Uint8Array, keyType: KeyType): VerificationKeys {
  try {
    return readJwks(parseStrictJson(bytes, { maxDepth: 8, maxKeys: 4096 }), keyType);
  } catch (error) {
    if (error instanceof StrictJsonError) throw new JwksError(`the JWKS ${error.message}`);
    throw error;
  }
}

/**
 * A key that is weak, or meant for something else, is left out. A set that could mean two things is refused
 * whole: the same `kid` twice, or a symmetric key, which a public document cannot hold.
 *
 * @throws JwksError
 */
export function readJwks(document: unknown, keyType: KeyType): VerificationKeys {
  const entries = memberOf(document, 'keys');
  if (!Array.isArray(entries)) throw new JwksError('the JWKS has no list of keys');
  const objects = unambiguous(entries);
  // A private key that is published can sign for anyone, under whatever kid it stands a second time.
  const [part] = keyType.members;
  const published = new Set(
    objects.filter((entry) => privateMembersOf(entry).length > 0).map((entry) => entry[part]),
  );
  const keys = new Map<string, VerificationKey>();
  for (const entry of objects) {
    const key = published.has(entry[part]) ? undefined : verificationKey(entry, keyType);
    if (key !== undefined) keys.set(key.jwk.kid, key);
  }
  if (keys.size === 0) throw new JwksError(`the JWKS has no usable ${keyType.algorithm} key`);
  return keys;
}

function unambiguous(entries: readonly unknown[]): readonly JsonObject[] {
  const objects = entries.filter(isJsonObject);
  const kids = objects.map(({ kid }) => kid).filter((kid) => kid !== undefined);
  if (objects.length < entries.length) throw new JwksError('the JWKS has a key that is no object');
  if (objects.some(({ kty }) => kty === 'oct')) throw new JwksError('the JWKS has a symmetric key');
  if (new Set(kids).size < kids.length) throw new JwksError('the JWKS has one kid twice');
  return objects;
}

/** `next`, with the very objects of `previous` where the key material is the same. */
export function retainSame(previous: VerificationKeys, next: VerificationKeys): VerificationKeys {
  return new Map(
    [...next].map(([kid, key]) => {
      const known = previous.get(kid);
      return [kid, known?.publicKey.equals(key.publicKey) === true ? known : key];
    }),
  );
}

function verificationKey(entry: JsonObject, keyType: KeyType): VerificationKey | undefined {
  const { kid } = entry;
  if (!isForSignatures(entry, keyType)) return undefined;
  const found = keyType.members.map((name) => [name, entry[name]] as const);
  if (typeof kid !== 'string' || !found.every(isText)) return undefined;
  const members = Object.fromEntries(found);
  const { kty, algorithm } = keyType;
  const jwk: PublicJwk = { ...members, kty, kid, use: 'sig', alg: algorithm };
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
  return keyType.isSound(publicKey, members) ? { jwk, publicKey } : undefined;
}

function isText(member: readonly [string, unknown]): member is readonly [string, string] {
  return typeof member[1] === 'string';
}

function isForSignatures(entry: JsonObject, { kty, algorithm }: KeyType): boolean {
  const { use = 'sig', alg = algorithm, key_ops: operations = ['verify'] } = entry;
  return (
    entry['kty'] === kty &&
    use === 'sig' &&
    alg === algorithm &&
    isStringList(operations) &&
    operations.includes('verify')
  );
}
