/** The claims of Cognito user-pool tokens, as AWS documents them for each kind of token. */

import { randomUUID } from 'node:crypto';

export type ExtraClaims = Readonly<Record<string, unknown>>;

export interface IssuerClient {
  readonly clientId: string;
  /** Empty: a public client, which has none, and therefore no client-credentials grant. */
  readonly clientSecret: string;
  /** For people; not in any token. */
  readonly name: string;
  /** Custom scopes (`orders/write`). Without any the client may not use the client-credentials grant. */
  readonly scopes: readonly string[];
  /**
   * `client_id`: access tokens carry `aud`, as where a pre-token-generation trigger (V3_0) adds it, which STS
   * needs. `none`: they do not, as Cognito issues them by itself.
   */
  readonly aud: 'none' | 'client_id';
  /** Claims such a trigger would add. Those that Cognito keeps for itself are ignored, as it does. */
  readonly claims?: ExtraClaims | undefined;
}

export interface IssuerUser {
  readonly username: string;
  /** A UUID in Cognito. */
  readonly sub: string;
  readonly email?: string | undefined;
  readonly groups: readonly string[];
  /** `identities` of a federated user; their `primary` is a string, `"true"`. */
  readonly identities?: readonly Readonly<Record<string, string | null>>[] | undefined;
  /** As `claims` of a client, for this user's tokens; wins over the client's. */
  readonly claims?: ExtraClaims | undefined;
}

interface TokenTimes {
  readonly issuer: string;
  readonly nowMs: number;
  readonly expiresInSeconds: number;
}

export interface AccessClaimsOptions extends TokenTimes {
  readonly client: IssuerClient;
  /** Absent for the client-credentials grant. */
  readonly user?: IssuerUser | undefined;
  readonly scopes: readonly string[];
  readonly claims?: ExtraClaims | undefined;
  /** Epoch milliseconds: earlier than now for a refreshed token. Default: now. */
  readonly signedInAt?: number | undefined;
  /** `amr`, which no trigger can set. */
  readonly amr?: readonly string[] | undefined;
}

export interface IdClaimsOptions extends TokenTimes {
  readonly client: IssuerClient;
  readonly user: IssuerUser;
  readonly claims?: ExtraClaims | undefined;
}

/** https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html */
export function accessTokenClaims(options: AccessClaimsOptions): Record<string, unknown> {
  const { client, user, scopes } = options;
  const audience = client.aud === 'client_id' ? { aud: client.clientId } : {};
  const own = user
    ? userAccessClaims(options, user, audience)
    : {
        sub: client.clientId,
        ...audience,
        token_use: 'access',
        scope: scopes.join(' '),
        ...times(options),
        version: 2,
        jti: randomUUID(),
        client_id: client.clientId,
      };
  return { ...allowed({ ...client.claims, ...user?.claims, ...options.claims }, client), ...own };
}

/** https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-id-token.html */
export function idTokenClaims(options: IdClaimsOptions): Record<string, unknown> {
  const { client, user } = options;
  return {
    ...allowed({ ...client.claims, ...user.claims, ...options.claims }, client),
    sub: user.sub,
    aud: client.clientId,
    ...groupClaim(user),
    ...(user.email === undefined ? {} : { email: user.email, email_verified: true }),
    ...(user.identities === undefined ? {} : { identities: user.identities }),
    'cognito:username': user.username,
    origin_jti: randomUUID(),
    event_id: randomUUID(),
    token_use: 'id',
    ...times(options),
    jti: randomUUID(),
  };
}

function userAccessClaims(
  options: AccessClaimsOptions,
  user: IssuerUser,
  audience: { readonly aud?: string },
): Record<string, unknown> {
  return {
    sub: user.sub,
    ...groupClaim(user),
    version: 2,
    client_id: options.client.clientId,
    ...audience,
    origin_jti: randomUUID(),
    event_id: randomUUID(),
    token_use: 'access',
    scope: options.scopes.join(' '),
    ...times(options),
    ...(options.signedInAt === undefined ? {} : { auth_time: seconds(options.signedInAt) }),
    ...(options.amr === undefined ? {} : { amr: options.amr }),
    jti: randomUUID(),
    username: user.username,
  };
}

/** A user without groups has no such claim at all. */
function groupClaim(user: IssuerUser): Record<string, unknown> {
  return user.groups.length === 0 ? {} : { 'cognito:groups': user.groups };
}

function times({ issuer, nowMs, expiresInSeconds }: TokenTimes): Record<string, unknown> {
  const nowSeconds = seconds(nowMs);
  return {
    auth_time: nowSeconds,
    iss: issuer,
    exp: nowSeconds + expiresInSeconds,
    iat: nowSeconds,
  };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

/**
 * What a trigger cannot set:
 * https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html.
 * `scope` has a mechanism of its own there, and `auth_time` and `event_id` belong to the sign-in.
 */
const protectedClaims: ReadonlySet<string> = new Set([
  ...['acr', 'amr', 'auth_time', 'azp', 'client_id', 'event_id', 'exp', 'iat', 'iss', 'jti', 'nbf'],
  ...['origin_jti', 'scope', 'sub', 'token_use', 'username', 'version'],
]);

function allowed(claims: ExtraClaims, client: IssuerClient): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(claims).filter(
      ([name, value]) =>
        !protectedClaims.has(name) &&
        !name.startsWith('cognito:') &&
        // Documented: a trigger may add `aud`, but only with the app client's own id.
        (name !== 'aud' || value === client.clientId),
    ),
  );
}
