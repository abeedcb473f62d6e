import type { KeyObject } from 'node:crypto';

/** A key that signs checkpoints. Where it counts it is outside of this process, which can use it and not copy it. */
export interface CheckpointSigner {
  /** @throws the error of whoever holds the key, within a deadline */
  publicKey(): Promise<KeyObject>;
  /** As signed notes have it: of Ed25519 the 64 bytes, of ECDSA the DER form. @throws as above */
  sign(text: string): Promise<Buffer>;
  stop(): void;
}
