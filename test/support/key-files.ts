/** Ed25519 keys in files, as operators make them. */

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of the two. */
export interface KeyFiles {
  readonly privateKey: string;
  readonly publicKey: string;
}

export function keyFiles(folder: string, name: string): KeyFiles {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const files = { privateKey: join(folder, `${name}.pem`), publicKey: join(folder, `${name}.pub`) };
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(files.privateKey, pem, { mode: 0o600 });
  writeFileSync(files.publicKey, publicKey.export({ type: 'spki', format: 'pem' }));
  return files;
}
