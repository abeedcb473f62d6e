import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { readStateFile } from '../kit/files/state-file.ts';
import type { Signer } from './signer.ts';
import { digestOf, maxKeyBytes, UnfitKeyError } from './signing-key.ts';

/**
 * For development: whoever becomes this process, or reads its files, can sign too. The file (PEM, as `openssl genpkey
 * -algorithm ed25519` writes it) must belong to this user alone.
 */
export class FileSigner implements Signer {
  readonly #file: string;
  #key: KeyObject | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  async publicKey(): Promise<KeyObject> {
    return createPublicKey(await this.#privateKey());
  }

  async sign(text: string): Promise<Buffer> {
    const key = await this.#privateKey();
    return sign(digestOf(key), Buffer.from(text), key);
  }

  stop(): void {}

  async #privateKey(): Promise<KeyObject> {
    this.#key ??= parseKey(
      await readStateFile(this.#file, { maxBytes: maxKeyBytes, secret: true }),
    );
    return this.#key;
  }
}

function parseKey(pem: Buffer | undefined): KeyObject {
  if (pem === undefined) throw new UnfitKeyError('there is no file of that name');
  try {
    return createPrivateKey(pem);
  } catch {
    // What OpenSSL says may quote the file.
    throw new UnfitKeyError('the file is no private key in PEM form');
  }
}
