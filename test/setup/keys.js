/**
 * Runs once before all tests, because making RSA keys takes long: one pair for access tokens, one for ID tokens, and
 * some that each file may take for issuers of its own.
 */

import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

export default async function createSigningKeys() {
  const [access, id, ...spare] = await Promise.all(Array.from({ length: 6 }, signingKey));
  process.env.TEST_SIGNING_KEYS = JSON.stringify({ current: { access, id }, retired: [] });
  process.env.TEST_SPARE_KEYS = JSON.stringify(spare.map(({ privateKeyPem }) => privateKeyPem));
}

async function signingKey() {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return {
    kid: randomBytes(32).toString('base64'),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
