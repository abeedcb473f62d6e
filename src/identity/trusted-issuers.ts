/** The allow-list of issuers, as data: an issuer is never derived from a pool id or from a token. */

export interface UserPoolOptions {
  /** Id of the pool, as mappings name it. */
  readonly pool: string;
  /** Exact `iss`. A pool that is moving to the other issuer format is listed twice, once with each. */
  readonly issuer: string;
  readonly jwksUri: string;
  /** App clients whose tokens are accepted; at least one. */
  readonly clients: readonly string[];
  readonly tokenUse: readonly ('access' | 'id')[];
}

export interface IdentityPoolOptions {
  /** Id of the identity pool, which is the `aud` of its tokens. */
  readonly pool: string;
  /** Exact `iss`. At AWS all identity pools share one, so only `aud` tells them apart. */
  readonly issuer: string;
  readonly jwksUri: string;
  readonly allowUnauthenticated: boolean;
}

export interface TrustedUserPool {
  readonly kind: 'user_pool';
  readonly issuer: string;
  readonly jwksUri: string;
  readonly algorithm: 'RS256';
  readonly pool: string;
  readonly clients: ReadonlySet<string>;
  readonly tokenUse: ReadonlySet<string>;
}

export interface TrustedIdentityPools {
  readonly kind: 'identity_pools';
  readonly issuer: string;
  readonly jwksUri: string;
  readonly algorithm: 'RS512';
  /** By id. */
  readonly pools: ReadonlyMap<string, IdentityPoolOptions>;
}

export type TrustedIssuer = TrustedUserPool | TrustedIdentityPools;

export interface TrustedIssuersOptions {
  readonly userPools: readonly UserPoolOptions[];
  readonly identityPools: readonly IdentityPoolOptions[];
}

/**
 * By `iss`.
 *
 * @throws TypeError when two entries contradict each other or one would accept any app client.
 */
export function trustedIssuers({
  userPools,
  identityPools,
}: TrustedIssuersOptions): ReadonlyMap<string, TrustedIssuer> {
  const issuers = new Map<string, TrustedIssuer>();
  for (const pool of userPools) {
    if (issuers.has(pool.issuer)) throw new TypeError(`issuer ${pool.issuer} is listed twice`);
    issuers.set(pool.issuer, trustedUserPool(pool));
  }
  for (const issuer of new Set(identityPools.map((pool) => pool.issuer))) {
    if (issuers.has(issuer)) {
      throw new TypeError(`issuer ${issuer} cannot be a user pool and an identity pool`);
    }
    const pools = identityPools.filter((pool) => pool.issuer === issuer);
    issuers.set(issuer, trustedIdentityPools(issuer, pools));
  }
  return issuers;
}

function trustedUserPool(options: UserPoolOptions): TrustedUserPool {
  const { pool, issuer, jwksUri, clients, tokenUse } = options;
  if (clients.length === 0) throw new TypeError(`pool ${pool} lists no app client`);
  if (tokenUse.length === 0) throw new TypeError(`pool ${pool} lists no token use`);
  return {
    kind: 'user_pool',
    issuer,
    jwksUri,
    algorithm: 'RS256',
    pool,
    clients: new Set(clients),
    tokenUse: new Set(tokenUse),
  };
}

function trustedIdentityPools(
  issuer: string,
  options: readonly IdentityPoolOptions[],
): TrustedIdentityPools {
  const pools = new Map(options.map((pool) => [pool.pool, pool]));
  const [jwksUri = '', another] = new Set(options.map((pool) => pool.jwksUri));
  if (pools.size !== options.length) {
    throw new TypeError(`an identity pool of issuer ${issuer} is listed twice`);
  }
  if (another !== undefined) {
    throw new TypeError(`identity pools of issuer ${issuer} disagree on its JWKS URI`);
  }
  return { kind: 'identity_pools', issuer, jwksUri, algorithm: 'RS512', pools };
}
