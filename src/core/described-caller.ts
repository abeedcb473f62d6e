/** A caller made up by an administrator, to ask what would be decided. It proves nothing and is never let in. */

import { z } from 'zod';
import { type Caller, tokenUses } from './caller.ts';
import type { ClaimValue } from './claim-value.ts';
import type { Fault } from './fault.ts';

const name = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters');
const text = z.string().min(1).max(256);
const scalar = z.union([text, z.boolean(), z.int()]);

export const callerDescription = z
  .strictObject({
    pool: name,
    /** `iss`; default: that of the pool in the configuration. */
    issuer: z.string().min(1).max(512).optional(),
    client: name.optional(),
    /** `sub`; without it the caller is the app client itself. */
    user: name.optional(),
    groups: z.array(text).max(100).default([]),
    scopes: z.array(name).max(100).default([]),
    claims: z
      .record(z.string().min(1).max(128), z.union([scalar, z.array(scalar).max(100)]))
      .default({}),
    tokenUse: z.enum(tokenUses).default('access'),
  })
  .refine(({ client, user }) => client !== undefined || user !== undefined, {
    error: 'must have a client, a user or both',
  });

export type DescribedCaller = z.output<typeof callerDescription>;

export interface DescriptionRules {
  /** By pool: the issuer whose tokens are accepted. */
  readonly issuers: ReadonlyMap<string, string>;
  readonly matchableClaims: ReadonlySet<string>;
}

/** The caller that a token with these claims would prove, or why there can be none. */
export function describedCaller(
  description: DescribedCaller,
  { issuers, matchableClaims }: DescriptionRules,
  now: number,
): Caller | readonly Fault[] {
  const { pool, client, user, groups, scopes, claims, tokenUse } = description;
  const issuer = description.issuer ?? issuers.get(pool);
  const faults: Fault[] = Object.keys(claims)
    .filter((claim) => !matchableClaims.has(claim))
    .map(() => ({
      pointer: '/caller/claims',
      detail: 'has a claim that configuration does not let mappings use',
    }));
  if (issuer === undefined) {
    faults.push({
      pointer: '/caller/pool',
      detail: 'is not a pool whose tokens are accepted here',
    });
  }
  if (issuer === undefined || faults.length > 0) return faults;
  const subject = user ?? client ?? '';
  return {
    issuer,
    pool,
    subject,
    clientId: client,
    tokenUse,
    machine: user === undefined,
    groups,
    scopes: new Set(scopes),
    audience: client ?? pool,
    claims: new Map<string, ClaimValue>([
      ...Object.entries(claims),
      ['sub', subject] as const,
      ...(client === undefined ? [] : [['client_id', client] as const]),
    ]),
    sessionClaims: '',
    tokenId: undefined,
    originTokenId: undefined,
    tokenSha256: '',
    issuedAt: now,
    signedInAt: undefined,
    amr: [],
    expiresAt: now,
  };
}
