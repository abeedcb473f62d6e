import { generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { TokenSigner } from './token-signer.ts';

const generate = promisify(generateKeyPair);

/**
 * A key that lives as long as this process and is written nowhere: for development. Whoever reads the memory of the
 * process has it, which is what a key of KMS is against.
 */
export class EphemeralTokenSigner implements TokenSigner {
  readonly #keys = generate('rsa', { modulusLength: 2048 });

  async publicKey(): Promise<KeyObject> {
    return (await this.#keys).publicKey;
  }

  async sign(text: string): Promise<Buffer> {
    return sign('sha256', Buffer.from(text), (await this.#keys).privateKey);
  }

  stop(): void {}
}
