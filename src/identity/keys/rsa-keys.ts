import type { KeyObject } from 'node:crypto';
import type { KeyType } from './key-type.ts';

/** RSA keys of 2048 to 8192 bits, as issuers have them (RFC 7518 sections 3.3 and 6.3). */
export function rsaKeys(algorithm: 'RS256' | 'RS512'): KeyType {
  return {
    kty: 'RSA',
    algorithm,
    members: ['n', 'e'],
    isSound: (publicKey, { n = '', e }) =>
      e === onlyExponent && isCanonical(n) && isStrong(publicKey, n),
  };
}

/** 65537. */
const onlyExponent = 'AQAB';

/** RFC 7518 section 2, Base64urlUInt: no padding, no stray bits, no leading zeros, so one number has one text. */
function isCanonical(number: string): boolean {
  const bytes = Buffer.from(number, 'base64url');
  return bytes.toString('base64url') === number && bytes[0] !== 0;
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
