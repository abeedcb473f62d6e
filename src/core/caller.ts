/** The identity that a verified token proves. Built only by the token validator, after every check. */

import { ownText } from '../kit/text/own-text.ts';
import type { Claims } from './claim-value.ts';
import { remember } from './remember.ts';

/**
 * `access` and `id` are the two kinds of user-pool tokens (claim `token_use`); `openid` is the OpenID token
 * of an identity pool, which has no such claim.
 */
export const tokenUses = ['access', 'id', 'openid'] as const;
export type TokenUse = (typeof tokenUses)[number];

/** Claims by which people know each other, and which records may have. */
export const describingClaims = ['username', 'email', 'groups'] as const;
export type DescribingClaim = (typeof describingClaims)[number];

/** For people who read records. Decides nothing. */
export interface CallerDescription {
  readonly username?: string;
  readonly email?: string;
  readonly groups?: readonly string[];
}

export interface Caller {
  /** `iss`, byte for byte. */
  readonly issuer: string;
  /** Id of the user pool or identity pool that the issuer stands for: how mappings name it. */
  readonly pool: string;
  /** `sub`: for a machine it equals the app client's id; for an identity pool it is the identity id. */
  readonly subject: string;
  /** App client: `client_id` of access tokens, `aud` of ID tokens; absent for identity pools. */
  readonly clientId: string | undefined;
  readonly tokenUse: TokenUse;
  /** True for a token of the client-credentials grant, which stands for the app client and no user. */
  readonly machine: boolean;
  /** `cognito:groups` of user pools; `amr` of identity pools. */
  readonly groups: readonly string[];
  readonly scopes: ReadonlySet<string>;
  /** What STS will take as the audience: `azp` if present, else `aud`; undefined if there is neither. */
  readonly audience: string | undefined;
  /** `sub` and `client_id`, and those further claims that configuration lets mappings match: each that the token has. */
  readonly claims: Claims;
  /** What configuration lets records say of the caller, as far as the token has it. */
  readonly description?: CallerDescription | undefined;
  /**
   * Lower-case hex SHA-256 over every claim that AWS may look at when it makes a session of the token: what trust
   * policies test (`aud`, `azp`, `amr`, `email`), session tags, source identity, and all others that do not
   * merely tell one token from the next.
   */
  readonly sessionClaims: string;
  /**
   * ARNs of the roles that the token is bound to by its claim `https://aws.amazon.com/roles`; absent if it has none.
   * STS compares them exactly.
   */
  readonly boundRoles?: readonly string[] | undefined;
  /** `jti`, where the token has one. */
  readonly tokenId: string | undefined;
  /** `origin_jti`, where the token has one: the same for all tokens of one sign-in. */
  readonly originTokenId: string | undefined;
  /** Lower-case hex SHA-256 of the token's bytes: names the token where the token itself must not appear. */
  readonly tokenSha256: string;
  /** Epoch milliseconds. */
  readonly issuedAt: number;
  /** `auth_time`, epoch milliseconds: refreshing a token does not change it. Undefined if the token has none. */
  readonly signedInAt: number | undefined;
  /** `amr` (RFC 8176): how somebody signed in. Empty if the token does not say. */
  readonly amr: readonly string[];
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** Names whom the caller is, the same for all of their tokens. */
export const callerKey: (caller: Caller) => string = remember(({ pool, clientId, subject }) =>
  ownText(JSON.stringify([pool, clientId, subject])),
);
