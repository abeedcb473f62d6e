import type { KeyObject } from 'node:crypto';

/** What keys an issuer signs with, and how: fixed by its kind, never by a token or a key set (T1, T2). */
export interface KeyType {
  /** RFC 7518 section 6.1. */
  readonly kty: string;
  /** RFC 7518 section 3.1; the only one that is accepted. */
  readonly algorithm: string;
  /** What a public key consists of, in a JWK; the first of them is of one key only. */
  readonly members: readonly [string, ...string[]];
  /** Whether it is strong, and its members are in the one spelling that they have. */
  isSound(publicKey: KeyObject, members: Readonly<Record<string, string>>): boolean;
}
