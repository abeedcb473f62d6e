import type { KeyObject } from 'node:crypto';

/** A key that signs for this broker. Where it counts it is outside of this process, which can use it and not copy it. */
export interface Signer {
  /** @throws the error of whoever holds the key, within a deadline */
  publicKey(): Promise<KeyObject>;
  /** Of Ed25519 the 64 bytes, of ECDSA the DER form. @throws as above */
  sign(text: string): Promise<Buffer>;
  stop(): void;
}
