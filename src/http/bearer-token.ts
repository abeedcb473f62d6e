/** The one place where a token may stand: a single Authorization header (RFC 6750 section 2.1). */

import { BrokerError } from '../core/errors.ts';

const bearer = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i;
const jwtAlone = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** @throws BrokerError `token_missing` or `token_malformed`. */
export function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined || authorization === '') {
    throw new BrokerError('token_missing', {
      detail: 'Send the token as "Authorization: Bearer <JWT>".',
    });
  }
  const token = bearer.exec(authorization)?.[1];
  if (token === undefined) {
    throw new BrokerError('token_malformed', {
      detail: 'The Authorization header must be "Bearer", a space and the JWT, and nothing else.',
    });
  }
  return token;
}

/**
 * The same, or the JWT without a scheme: AWS SDKs send the content of their token file as it is, and what
 * Kubernetes writes into such a file is the JWT alone.
 *
 * @throws BrokerError `token_missing` or `token_malformed`.
 */
export function bearerTokenOrJwt(authorization: string | undefined): string {
  if (authorization !== undefined && jwtAlone.test(authorization)) return authorization;
  return bearerToken(authorization);
}
