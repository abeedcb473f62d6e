/** Cognito user pools: access and ID tokens of app clients, with groups. */

import { validateCognitoJwtFields } from 'aws-jwt-verify/cognito-verifier';
import { z } from 'zod';
import { BrokerError } from '../../core/errors.ts';
import { distinctList } from '../../kit/json/distinct-list.ts';
import type { JsonObject } from '../../kit/json/json-object.ts';
import { rsaKeys } from '../keys/rsa-keys.ts';
import { clientRefused, invalid, readNames } from '../token-claims.ts';
import {
  dnsSuffix,
  endpointUrl,
  isOwnName,
  issuerUrl,
  name,
  notOwnName,
  placeFaults,
  userPoolId,
  uuid,
} from './cognito-pool.ts';
import type { ProviderKind, TokenIdentity, TrustedIssuer } from './provider.ts';

const settings = z
  .strictObject({
    name,
    pool: z.string().regex(userPoolId, 'must be the id of a user pool').describe('User pool id.'),
    issuer: issuerUrl.describe(
      'Exact `iss` of its tokens. A pool has one of two forms; it is data, never derived.',
    ),
    jwksUri: endpointUrl
      .optional()
      .describe('Where its keys are; default: issuer + `/.well-known/jwks.json`.'),
    clients: distinctList(z.string().min(1).max(128))
      .min(1, 'must list at least one app client')
      .describe('App clients whose tokens are accepted.'),
    tokenUse: distinctList(z.enum(['access', 'id']))
      .min(1)
      .default(['access'])
      .describe('Kinds of tokens that are accepted.'),
  })
  .refine(isOwnName, notOwnName);

export type UserPoolSettings = z.output<typeof settings>;

export const userPool = {
  description: 'Cognito user pools whose tokens are accepted.',
  settings,
  trust(pool): TrustedIssuer {
    const { pool: id, issuer } = pool;
    const clients = new Set(pool.clients);
    if (clients.size === 0) throw new TypeError(`pool ${id} lists no app client`);
    if (pool.tokenUse.length === 0) throw new TypeError(`pool ${id} lists no token use`);
    return {
      name: pool.name ?? id,
      id,
      issuer,
      jwksUri: pool.jwksUri ?? keysOf(issuer),
      keyType: rsaKeys('RS256'),
      reach: {
        issuer,
        kind: 'user pools',
        clients,
        accessTokens: pool.tokenUse.includes('access') ? 'accepted' : 'refused',
        subject: {
          pattern: new RegExp(`^${uuid}$`),
          meaning:
            'must be the "sub" of a user: in Cognito a UUID in lower case, never a user name or an address',
        },
        emptyGroups: new Map(),
      },
      identify: (claims) => identify(claims, pool, clients),
      confirm(payload, { tokenUse, clientId = '' }) {
        if (tokenUse !== 'openid') validateCognitoJwtFields(payload, { tokenUse, clientId });
      },
    };
  },
  productionFaults: (pool) => [
    ...placeFaults(pool, { issuers: issuersOf(pool.pool), jwksUri: keysOf(pool.issuer) }),
  ],
} satisfies ProviderKind<UserPoolSettings>;

function identify(
  claims: JsonObject,
  pool: UserPoolSettings,
  clients: ReadonlySet<string>,
): TokenIdentity {
  const { token_use: tokenUse, sub, username } = claims;
  if (tokenUse === undefined) throw invalid('must have the claim "token_use"');
  if ((tokenUse !== 'access' && tokenUse !== 'id') || !pool.tokenUse.includes(tokenUse)) {
    throw new BrokerError('token_use_refused', {
      detail: `This user pool is trusted for these tokens: ${pool.tokenUse.join(', ')}.`,
    });
  }
  const clientId = claims[tokenUse === 'access' ? 'client_id' : 'aud'];
  if (typeof clientId !== 'string' || !clients.has(clientId)) {
    throw clientRefused();
  }
  return {
    tokenUse,
    clientId,
    machine: tokenUse === 'access' && sub === clientId && username === undefined,
    groups: readNames(claims, 'cognito:groups') ?? [],
    amr: readNames(claims, 'amr') ?? [],
  };
}

function keysOf(issuer: string): string {
  return `${issuer}/.well-known/jwks.json`;
}

/**
 * https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html: the original form, and the
 * one of pools that span regions, which names the region in which the pool was made.
 */
export function issuersOf(pool: string): readonly [string, string] {
  const [region = ''] = pool.split('_', 1);
  const host = `cognito-idp.${region}.${dnsSuffix(region)}`;
  return [`https://${host}/${pool}`, `https://issuer-${host}/${pool}`];
}
