/**
 * The two public documents of the broker as an issuer (OpenID Connect Discovery 1.0 section 3, RFC 7517 section 5):
 * all that STS ever asks of it.
 */

import type { PublishedKey } from './public-key.ts';

export const discoveryPath = '/.well-known/openid-configuration';
export const keySetPath = '/.well-known/jwks.json';

/**
 * Seconds that a copy of the documents may be used. Recorded of STS: with `no-cache` it fetches before every exchange,
 * and some of these fetches then fail. The order of a rotation waits for longer than this.
 */
const documentsMaxAgeSeconds = 300;
export const documentsCacheControl = `public, max-age=${documentsMaxAgeSeconds}`;

export interface PublicDocument {
  /** Below the issuer. */
  readonly path: string;
  readonly text: string;
}

export function publicDocuments(
  issuer: string,
  keys: readonly PublishedKey[],
): readonly PublicDocument[] {
  const discovery = {
    issuer,
    jwks_uri: `${issuer}${keySetPath}`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    claims_supported: ['aud', 'exp', 'iat', 'iss', 'jti', 'sub'],
  };
  return [
    { path: discoveryPath, text: printed(discovery) },
    { path: keySetPath, text: printed({ keys }) },
  ];
}

function printed(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
