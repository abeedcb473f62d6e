/** A JSON Web Key Set (RFC 7517) as this service accepts it: RSA keys for signatures, strong and unambiguous. */

import { createPublicKey, type KeyObject } from 'node:crypto';
import { isJsonObject, isStringList, type JsonObject } from '../../kit/json/json-object.ts';
import { parseStrictJson, StrictJsonError } from '../../kit/json/strict-json.ts';

export type SigningAlgorithm = 'RS256' | 'RS512';

export type PublicJwk = {
  readonly kty: 'RSA';
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: SigningAlgorithm;
  readonly n: string;
  readonly e: string;
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
export function parseJwks(bytes: Uint8Array, algorithm: SigningAlgorithm): VerificationKeys {
  try {
    return readJwks(parseStrictJson(bytes, { maxDepth: 8, maxKeys: 4096 }), algorithm);
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
export function readJwks(document: unknown, algorithm: SigningAlgorithm): VerificationKeys {
  const entries = isJsonObject(document) ? document['keys'] : undefined;
  if (!Array.isArray(entries)) throw new JwksError('the JWKS has no list of keys');
  const objects = unambiguous(entries);
  // A private key that is published can sign for anyone, under whatever kid it stands a second time.
  const published = new Set(objects.filter(isPrivate).map(({ n }) => n));
  const keys = new Map<string, VerificationKey>();
  for (const entry of objects) {
    const key = published.has(entry['n']) ? undefined : verificationKey(entry, algorithm);
    if (key !== undefined) keys.set(key.jwk.kid, key);
  }
  if (keys.size === 0) throw new JwksError(`the JWKS has no usable ${algorithm} key`);
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
      const same = known?.jwk.n === key.jwk.n && known.jwk.e === key.jwk.e;
      return [kid, same ? known : key];
    }),
  );
}

function verificationKey(
  entry: JsonObject,
  algorithm: SigningAlgorithm,
): VerificationKey | undefined {
  const { kid, n, e } = entry;
  if (!isForSignatures(entry, algorithm)) return undefined;
  if (typeof kid !== 'string' || typeof n !== 'string' || e !== onlyExponent) return undefined;
  if (!isCanonical(n)) return undefined;
  const jwk: PublicJwk = { kty: 'RSA', kid, use: 'sig', alg: algorithm, n, e };
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
  return isStrong(publicKey, n) ? { jwk, publicKey } : undefined;
}

/** RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1: each of them alone is enough to have the whole private key. */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

function isPrivate(entry: JsonObject): boolean {
  return privateMembers.some((name) => name in entry);
}

/** 65537, as issuers have it. */
const onlyExponent = 'AQAB';

/** RFC 7518 section 2, Base64urlUInt: no padding, no stray bits, no leading zeros, so one number has one text. */
function isCanonical(number: string): boolean {
  const bytes = Buffer.from(number, 'base64url');
  return bytes.toString('base64url') === number && bytes[0] !== 0;
}

function isForSignatures(entry: JsonObject, algorithm: SigningAlgorithm): boolean {
  const { kty, use = 'sig', alg = algorithm, key_ops: operations = ['verify'] } = entry;
  return (
    kty === 'RSA' &&
    use === 'sig' &&
    alg === algorithm &&
    isStringList(operations) &&
    operations.includes('verify')
  );
}

function isStrong(publicKey: KeyObject, n: string): boolean {
  const { modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {};
  if (modulusLength < 2048 || modulusLength > 8192) return false;
  const modulus = BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`);
  return modulus % 2n === 1n && !hasSmallFactor(modulus) && !isRocaWeak(modulus);
}

const smallPrimes = [
  ...[3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97],
  ...[101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167],
];

function hasSmallFactor(modulus: bigint): boolean {
  return smallPrimes.some((prime) => modulus % BigInt(prime) === 0n);
}

/**
 * CVE-2017-15361: such keys are congruent to a power of 65537 modulo every small prime, which for any other
 * key happens once in 10^8 or less.
 */
function isRocaWeak(modulus: bigint): boolean {
  return smallPrimes.every((prime) => powersOf65537(prime).has(Number(modulus % BigInt(prime))));
}

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65537) % prime) powers.add(power);
  return powers;
}
