/** Whose tokens are accepted, and where their keys are. */

import { z } from 'zod';
import { path, plainUrl, poolId } from './values.ts';

const userPool = z.strictObject({
  pool: poolId.describe('User pool id, as role mappings name it.'),
  issuer: plainUrl.describe(
    'Exact `iss` of its tokens. A pool has one of two forms; it is data, never derived.',
  ),
  jwksUri: plainUrl
    .optional()
    .describe('Where its keys are; default: issuer + `/.well-known/jwks.json`.'),
  clients: z
    .array(z.string().min(1).max(128))
    .min(1, 'must list at least one app client')
    .describe('App clients whose tokens are accepted.'),
  tokenUse: z
    .array(z.enum(['access', 'id']))
    .min(1)
    .default(['access'])
    .describe('Kinds of tokens that are accepted.'),
});

const identityPool = z.strictObject({
  pool: poolId.describe('Identity pool id, which its OpenID tokens carry as `aud`.'),
  issuer: plainUrl
    .default('https://cognito-identity.amazonaws.com')
    .describe('Exact `iss` of its tokens.'),
  jwksUri: plainUrl
    .optional()
    .describe('Where its keys are; default: issuer + `/.well-known/jwks_uri`.'),
  allowUnauthenticated: z
    .boolean()
    .default(false)
    .describe('Accept the tokens of guest identities.'),
});

/**
 * User names can be chosen by users, the preferred one at any time (OpenID Connect Core 1.0 section 5.7), and the others are fixed
 * by the token check itself.
 */
const neverMatchable = [
  'username',
  'cognito:username',
  'preferred_username',
  'iss',
  'aud',
  'azp',
  'exp',
  'iat',
  'nbf',
  'jti',
];

/** A key that signs: one of KMS, or a file in development. */

export const identity = z.strictObject({
  userPools: z
    .array(userPool)
    .default([])
    .describe('Cognito user pools whose tokens are accepted.'),
  identityPools: z
    .array(identityPool)
    .default([])
    .describe('Cognito identity pools whose OpenID tokens are accepted.'),
  matchableClaims: z
    .array(
      z
        .string()
        .min(1)
        .max(128)
        .refine((name) => !neverMatchable.includes(name), {
          error: 'is a claim that mappings may never match',
        }),
    )
    .default([])
    .describe('Claims, besides `sub` and `client_id`, that role mappings may use.'),
  maxTokenBytes: z.int().min(1024).max(16_384).default(8192).describe('Largest bearer token.'),
  maxTokenAgeSeconds: z
    .int()
    .min(60)
    .max(86_400)
    .default(86_400)
    .describe('Longest lifetime (`exp` minus `iat`) of a token.'),
  clockToleranceSeconds: z
    .int()
    .min(0)
    .max(60)
    .default(30)
    .describe('Tolerance for `exp`, `nbf` and `iat`.'),
  maxVerifiedTokens: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe('Verified tokens to remember.'),
});

export const keys = z
  .strictObject({
    refreshSeconds: z
      .int()
      .min(30)
      .max(86_400)
      .default(300)
      .describe('How often key sets are fetched anew.'),
    maxAgeSeconds: z
      .int()
      .min(300)
      .max(86_400)
      .default(86_400)
      .describe('How long a key set is trusted while its issuer cannot be reached.'),
    cooldownSeconds: z
      .int()
      .min(1)
      .max(300)
      .default(30)
      .describe('Pause between fetches that unknown key ids cause.'),
    timeoutMs: z.int().min(100).max(10_000).default(2000).describe('Deadline of one fetch.'),
    directory: path.optional().describe('Where key sets are kept for the next start.'),
  })
  .prefault({});
