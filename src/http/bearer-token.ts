/** The one place where a token may stand: a single Authorization header, scheme Bearer (RFC 6750 section 2.1). */

import { BrokerError } from '../core/errors.ts';

const bearer = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i;

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
