/** RSA keys of 2048 bits, made once for all files (test/setup/keys.js), since a new one takes a fifth of a second. */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyPairKeyObjectResult,
  randomBytes,
} from 'node:crypto';
import { expect } from '@jest/globals';
import type { KeySet, TokenKey } from '../../emulators/issuer/issuer-keys.ts';

const spare = JSON.parse(process.env['TEST_SPARE_KEYS'] ?? '[]') as string[];
/** How many each file has taken. */
const taken = new Map<string | undefined, number>();

/** A pair that this file has not had before; other files may have the same one. */
export function rsaKeyPair(): KeyPairKeyObjectResult {
  const { testPath } = expect.getState();
  const before = taken.get(testPath) ?? 0;
  taken.set(testPath, before + 1);
  const pem = spare[before];
  // Whoever takes so many had better take fewer.
  if (pem === undefined) return generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privateKey = createPrivateKey(pem);
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** For an issuer to sign with, or to change to. */
export function issuerKeySet(): KeySet {
  return { access: issuerKey(), id: issuerKey() };
}

/** A `kid` in the form Cognito uses, unless told otherwise. */
export function issuerKey(kid = randomBytes(32).toString('base64')): TokenKey {
  const privateKeyPem = rsaKeyPair().privateKey.export({ type: 'pkcs8', format: 'pem' });
  return { kid, privateKeyPem: privateKeyPem.toString() };
}
