/**
 * Runs once before all tests, because making RSA keys takes long: one pair for access tokens, one for ID tokens, and
 * some that each file may take for issuers of its own. They are made once for this copy of the repository, and kept where
 * Git looks away: nothing but servers on loopback trusts them, for as long as a test lasts.
 */

import { generateKeyPair, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

const folder = new URL('../../.local/', import.meta.url);
const file = new URL('test-keys.json', folder);
/** Two that issue tokens, and as many more as the file that asks for most. */
const count = 16;

export default async function provideSigningKeys() {
  const [access, id, ...spare] = kept() ?? (await made());
  process.env.TEST_SIGNING_KEYS = JSON.stringify({ current: { access, id }, retired: [] });
  process.env.TEST_SPARE_KEYS = JSON.stringify(spare.map(({ privateKeyPem }) => privateKeyPem));
}

function kept() {
  try {
    const keys = JSON.parse(readFileSync(file, 'utf8'));
    return keys.length === count ? keys : undefined;
  } catch {
    return undefined;
  }
}

async function made() {
  const keys = await Promise.all(Array.from({ length: count }, signingKey));
  mkdirSync(folder, { recursive: true });
  // Two runs may be making them at once.
  const whole = new URL(`test-keys.${process.pid}`, folder);
  writeFileSync(whole, JSON.stringify(keys), { mode: 0o600 });
  renameSync(whole, file);
  return keys;
}

async function signingKey() {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return {
    kid: randomBytes(32).toString('base64'),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
