/** The two kinds of key that sign: Ed25519, and ECDSA on P-256. */

import { createPublicKey, type KeyObject, verify } from 'node:crypto';

export type SignatureKind = 'ed25519' | 'p256';

/** @throws UnfitKeyError for a key of another kind */
export function kindOf(key: KeyObject): SignatureKind {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  const isP256 =
    key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  if (isP256) return 'p256';
  throw new UnfitKeyError('a key that signs is an Ed25519 key, or an ECDSA key on P-256');
}

export class UnfitKeyError extends Error {
  override readonly name = 'UnfitKeyError';
  readonly code = 'EKEY';
}

/** What node:crypto calls the two: Ed25519 hashes by itself. */
export function digestOf(key: KeyObject): 'sha256' | null {
  return kindOf(key) === 'ed25519' ? null : 'sha256';
}

export function isSignature(text: string, signature: Buffer, publicKey: KeyObject): boolean {
  return verify(digestOf(publicKey), Buffer.from(text), publicKey, signature);
}

/** Of a file with one. */
export const maxKeyBytes = 16 * 1024;

/** @throws UnfitKeyError for what is no public key in PEM form, and for one of another kind */
export function parsePublicKey(pem: Buffer): KeyObject {
  const text = pem.toString();
  // Out of a private key, node:crypto would make the public one: whoever listed that has published it.
  if (/PRIVATE KEY/.test(text)) throw new UnfitKeyError('the file holds a private key');
  const key = publicKeyIn(text);
  kindOf(key);
  return key;
}

function publicKeyIn(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch {
    throw new UnfitKeyError('the key is no public key in PEM form');
  }
}
