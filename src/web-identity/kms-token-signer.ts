import { hash, type KeyObject } from 'node:crypto';
import { KmsKey, type KmsKeyOptions } from '../signing/kms-key.ts';
import type { TokenSigner } from './token-signer.ts';

/** A key RSA_2048 (or longer) of AWS KMS. It is sent the digest alone: what a token says stays in this process. */
export class KmsTokenSigner implements TokenSigner {
  readonly #key: KmsKey;

  constructor(options: Omit<KmsKeyOptions, 'maxAttempts'>) {
    // One try: the SDK's second one would come when the caller's time is nearly up, and a signer that is throttled asks for less.
    this.#key = new KmsKey({ ...options, maxAttempts: 1 });
  }

  publicKey(signal: AbortSignal): Promise<KeyObject> {
    return this.#key.publicKey(signal);
  }

  sign(text: string, signal: AbortSignal): Promise<Buffer> {
    const message = hash('sha256', Buffer.from(text), 'buffer');
    const algorithm = 'RSASSA_PKCS1_V1_5_SHA_256';
    return this.#key.sign({ message, messageType: 'DIGEST', algorithm }, signal);
  }

  stop(): void {
    this.#key.stop();
  }
}
