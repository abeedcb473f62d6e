/** A public key as the key set publishes it. */

import { hash, type KeyObject } from 'node:crypto';

export interface PublishedKey {
  readonly kty: 'RSA';
  readonly n: string;
  readonly e: string;
  /** RFC 7638. */
  readonly kid: string;
  readonly alg: 'RS256';
  readonly use: 'sig';
}

/** Shorter keys are nobody's to rely on, and KMS makes none. */
const leastBits = 2048;

export class UnfitTokenKeyError extends Error {
  override readonly name = 'UnfitTokenKeyError';
}

/** @throws UnfitTokenKeyError for a key that is not RSA of 2,048 bits or more */
export function publishedKey(key: KeyObject): PublishedKey {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  const { n, e } = key.asymmetricKeyType === 'rsa' ? key.export({ format: 'jwk' }) : {};
  if (bits < leastBits || n === undefined || e === undefined) {
    throw new UnfitTokenKeyError(
      'a key that signs web identity tokens is RSA of 2,048 bits or more',
    );
  }
  // The members in the order of RFC 7638 section 3.2.
  const kid = hash('sha256', JSON.stringify({ e, kty: 'RSA', n }), 'base64url');
  return { kty: 'RSA', n, e, kid, alg: 'RS256', use: 'sig' };
}
