import type { KeyObject } from 'node:crypto';

/**
 * A key that signs the web identity tokens of this broker: RSASSA-PKCS1-v1_5 with SHA-256 (RS256), the one algorithm
 * that STS and IAM Identity Center both take.
 */
export interface TokenSigner {
  /** @throws the error of whoever holds the key */
  publicKey(signal: AbortSignal): Promise<KeyObject>;
  /** The signature of the text, in the form that a JWS has it. @throws as above */
  sign(text: string, signal: AbortSignal): Promise<Buffer>;
  stop(): void;
}
