import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { TokenSigner } from './token-signer.ts';

/**
 * A key that lives as long as this process and is written nowhere: for development. Whoever reads the memory of the
 * process has it, which is what a key of KMS is against. It is made at once: how long that takes on a busy machine is no
 * sign of a signer that does not answer.
 */
export class EphemeralTokenSigner implements TokenSigner {
  readonly #keys = generateKeyPairSync('rsa', { modulusLength: 2048 });

  async publicKey(): Promise<KeyObject> {
    return this.#keys.publicKey;
  }

  async sign(text: string): Promise<Buffer> {
    return sign('sha256', Buffer.from(text), this.#keys.privateKey);
  }

  stop(): void {}
}
