import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { configCheck } from '../../src/cli/config-check.ts';
import { captured, configFor, temporaryFolders } from '../support/mapping-folder.ts';

const folders = temporaryFolders();
afterAll(() => folders.remove());

const runtime = {
  nodeOptions: '',
  nodeDebug: '',
  execArgv: [],
  tlsRejectUnauthorized: undefined,
  userId: undefined,
  inspected: false,
};
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
const pem = (key: typeof publicKey) => key.export({ type: 'spki', format: 'pem' }) as string;
const keys = folders.folder({
  'good.pub': pem(publicKey),
  'rsa.pub': pem(rsa),
  'private.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  'empty.pub': '',
});

it.each([
  ['a key that can verify', 'good.pub', 0, ''],
  ['an RSA key', 'rsa.pub', 78, 'Ed25519'],
  ['a private key', 'private.pem', 78, 'private key'],
  ['an empty file', 'empty.pub', 78, 'no public key'],
  ['no file', 'absent.pub', 78, 'absent.pub'],
])('looks at the public keys of seals: %s', async (_, name, code, words) => {
  const config = configFor('role-mappings', 'http://127.0.0.1:1', '/audit');
  const file = join(keys, name);
  const policy = { ...config.policy, seal: { publicKeyFiles: [file] } };
  const folder = folders.folder({ 'config.json': JSON.stringify({ ...config, policy }) });

  const source = { file: join(folder, 'config.json'), env: {}, runtime };
  const ran = await captured((output) => configCheck(source, output));

  expect(ran.code).toBe(code);
  expect(ran.err).toContain(words);
  if (code !== 0) expect(ran.err).toContain(`policy.seal.publicKeyFiles: ${file}`);
});
