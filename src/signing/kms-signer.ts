import type { KeyObject } from 'node:crypto';
import type { SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { KmsKey, type KmsKeyOptions } from './kms-key.ts';
import type { Signer } from './signer.ts';
import { kindOf, type SignatureKind } from './signing-key.ts';

/** Of a key that is ECC_NIST_EDWARDS25519 or ECC_NIST_P256. */
export type KmsSignerOptions = KmsKeyOptions;

/** Both take the text itself: the other algorithm for Ed25519 (PH) makes other signatures. */
const algorithms: Readonly<Record<SignatureKind, SigningAlgorithmSpec>> = {
  ed25519: 'ED25519_SHA_512',
  p256: 'ECDSA_SHA_256',
};

/** Signs texts with a key of AWS KMS. */
export class KmsSigner implements Signer {
  readonly #key: KmsKey;

  constructor(options: KmsSignerOptions) {
    this.#key = new KmsKey(options);
  }

  async publicKey(): Promise<KeyObject> {
    const key = await this.#key.publicKey();
    kindOf(key);
    return key;
  }

  async sign(text: string): Promise<Buffer> {
    const algorithm = algorithms[kindOf(await this.publicKey())];
    return this.#key.sign({ message: Buffer.from(text), messageType: 'RAW', algorithm });
  }

  stop(): void {
    this.#key.stop();
  }
}
