/** Runs once before all tests: one key pair for access tokens and one for ID tokens, because making them takes long. */

import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

export default async function createSigningKeys() {
  const [access, id] = await Promise.all([signingKey(), signingKey()]);
  process.env.TEST_SIGNING_KEYS = JSON.stringify({ current: { access, id }, retired: [] });
}

async function signingKey() {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return {
    kid: randomBytes(32).toString('base64'),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
