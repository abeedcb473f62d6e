/** Whose tokens are accepted, and where their keys are. */

import { z } from 'zod';
import { providerKinds } from '../../identity/providers/provider-kinds.ts';
import { distinctList } from '../../kit/json/distinct-list.ts';
import { path } from './values.ts';

type ProviderKinds = typeof providerKinds;

/** One list a kind. */
const issuers = Object.fromEntries(
  Object.entries(providerKinds).map(([list, { settings, description }]) => [
    list,
    z.array<z.ZodType>(settings).default([]).describe(description),
  ]),
) as { [List in keyof ProviderKinds]: z.ZodDefault<z.ZodArray<ProviderKinds[List]['settings']>> };

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

export const identity = z.strictObject({
  ...issuers,
  matchableClaims: distinctList(
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
