/** RSA keys of 2048 bits: those made once for all files as long as they last, since a new one takes a third of a second. */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyPairKeyObjectResult,
} from 'node:crypto';

const spare = JSON.parse(process.env['TEST_SPARE_KEYS'] ?? '[]') as string[];

/** A pair that this file has not had before; other files may have the same one. */
export function rsaKeyPair(): KeyPairKeyObjectResult {
  const pem = spare.pop();
  if (pem === undefined) return generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privateKey = createPrivateKey(pem);
  return { privateKey, publicKey: createPublicKey(privateKey) };
}
