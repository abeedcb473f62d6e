import { hash, type KeyObject } from 'node:crypto';
import { KmsKey, type KmsKeyOptions } from '../signing/kms-key.ts';
import { wasCutOff } from './signing-failure.ts';
import type { TokenSigner } from './token-signer.ts';

/** Ends a call whose signal the SDK has lost; what ends the others is the deadline of whoever asks. */
const lostCallMs = 60_000;

/** A key RSA_2048 (or longer) of AWS KMS. It is sent the digest alone: what a token says stays in this process. */
export class KmsTokenSigner implements TokenSigner {
  readonly #key: KmsKey;

  constructor(options: Omit<KmsKeyOptions, 'maxAttempts' | 'requestTimeoutMs'>) {
    // One try: the SDK's second one would come when the caller's time is nearly up, and a signer that is throttled asks for less.
    this.#key = new KmsKey({ ...options, maxAttempts: 1, requestTimeoutMs: lostCallMs });
  }

  publicKey(signal: AbortSignal): Promise<KeyObject> {
    return this.#key.publicKey(signal);
  }

  async sign(text: string, signal: AbortSignal): Promise<Buffer> {
    const message = hash('sha256', Buffer.from(text), 'buffer');
    const algorithm = 'RSASSA_PKCS1_V1_5_SHA_256';
    const sign = () => this.#key.sign({ message, messageType: 'DIGEST', algorithm }, signal);
    try {
      return await sign();
    } catch (error) {
      // A connection that was idle is closed by the other side, now and then at the moment in which it is used again.
      if (signal.aborted || !wasCutOff(error)) throw error;
      return await sign();
    }
  }

  stop(): void {
    this.#key.stop();
  }
}
