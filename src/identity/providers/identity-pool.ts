/** Cognito identity pools: the OpenID tokens of GetOpenIdToken, for identities that signed in and for guests. */

import { z } from 'zod';
import { BrokerError } from '../../core/errors.ts';
import type { JsonObject } from '../../kit/json/json-object.ts';
import { rsaKeys } from '../keys/rsa-keys.ts';
import { invalid, readNames } from '../token-claims.ts';
import {
  commonSuffix,
  dnsSuffix,
  endpointUrl,
  identityPoolId,
  isOwnName,
  issuerUrl,
  name,
  notOwnName,
  placeFaults,
  uuid,
} from './cognito-pool.ts';
import type { ProviderKind, TokenIdentity, TrustedIssuer } from './provider.ts';

const settings = z
  .strictObject({
    name,
    pool: z
      .string()
      .regex(identityPoolId, 'must be the id of an identity pool')
      .describe('Identity pool id, which its OpenID tokens carry as `aud`.'),
    issuer: issuerUrl
      .default(`https://cognito-identity.${commonSuffix}`)
      .describe('Exact `iss` of its tokens.'),
    jwksUri: endpointUrl
      .optional()
      .describe('Where its keys are; default: issuer + `/.well-known/jwks_uri`.'),
    allowUnauthenticated: z
      .boolean()
      .default(false)
      .describe('Accept the tokens of guest identities.'),
  })
  .refine(isOwnName, notOwnName);

export type IdentityPoolSettings = z.output<typeof settings>;

export const identityPool = {
  description: 'Cognito identity pools whose OpenID tokens are accepted.',
  settings,
  trust(pool): TrustedIssuer {
    const { pool: id, issuer, allowUnauthenticated } = pool;
    return {
      name: pool.name ?? id,
      id,
      issuer,
      jwksUri: pool.jwksUri ?? keysOf(issuer),
      keyType: rsaKeys('RS512'),
      // At AWS all identity pools of all customers have one: only the audience tells whose a token is.
      shared: { audience: id, label: 'identity-pools' },
      reach: {
        issuer,
        kind: 'identity pools',
        clients: undefined,
        accessTokens: 'never',
        subject: {
          pattern: new RegExp(`:${uuid}$`),
          meaning: 'must be an identity id, such as us-east-1:<UUID in lower case>',
        },
        emptyGroups: allowUnauthenticated ? new Map() : noGuests,
      },
      identify: (claims) => identify(claims, allowUnauthenticated),
    };
  },
  productionFaults: (pool) => [
    ...placeFaults(pool, { issuers: issuersOf(pool.pool), jwksUri: keysOf(pool.issuer) }),
  ],
} satisfies ProviderKind<IdentityPoolSettings>;

const noGuests: ReadonlyMap<string, string> = new Map([
  [
    'unauthenticated',
    'are guests, whose tokens the configuration does not accept (allowUnauthenticated)',
  ],
]);

function identify(claims: JsonObject, allowUnauthenticated: boolean): TokenIdentity {
  const methods = readNames(claims, 'amr') ?? [];
  const authenticated = methods.includes('authenticated');
  if (authenticated === methods.includes('unauthenticated')) {
    throw invalid('must say in "amr" either "authenticated" or "unauthenticated"');
  }
  if (!authenticated && !allowUnauthenticated) {
    throw new BrokerError('token_use_refused', {
      detail: 'This identity pool is trusted for authenticated identities only: sign in first.',
    });
  }
  const tokenUse = 'openid';
  return { tokenUse, clientId: undefined, machine: false, groups: methods, amr: methods };
}

function keysOf(issuer: string): string {
  return `${issuer}/.well-known/jwks_uri`;
}

/** One for all identity pools of a partition, apart from those that have one for each region. */
function issuersOf(pool: string): readonly string[] {
  const [region = ''] = pool.split(':', 1);
  const regional = `https://cognito-identity.${region}.${dnsSuffix(region)}`;
  if (region.startsWith('us-gov-')) {
    return [`https://cognito-identity-us-gov.${commonSuffix}`, regional];
  }
  return dnsSuffix(region) === commonSuffix
    ? [`https://cognito-identity.${commonSuffix}`]
    : [regional];
}
