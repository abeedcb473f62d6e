import { sign } from 'node:crypto';

import { privateKeyOf, type TokenKey } from './issuer-keys.ts';

const digests = { RS256: 'sha256', RS512: 'sha512' } as const;

export interface SignJwtOptions {
  readonly key: TokenKey;
  /** Member order is kept; a `kid` is not added. */
  readonly header: Readonly<Record<string, unknown>> & { readonly alg: keyof typeof digests };
  readonly claims: Readonly<Record<string, unknown>>;
}

/** A JWS in compact form (RFC 7515 §7.1), RSASSA-PKCS1-v1_5, over exactly the header and claims given. */
export function signJwt({ key, header, claims }: SignJwtOptions): string {
  const input = `${encode(header)}.${encode(claims)}`;
  const privateKey = privateKeyOf(key);
  return `${input}.${sign(digests[header.alg], Buffer.from(input), privateKey).toString('base64url')}`;
}

function encode(part: Readonly<Record<string, unknown>>): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
