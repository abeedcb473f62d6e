import { JwksSource } from '../identity/keys/jwks-source.ts';
import { userPoolId as userPoolIdPattern } from '../identity/providers/cognito-pool.ts';
import type { TrustedIssuer } from '../identity/providers/provider.ts';
import { issuersOf, userPool } from '../identity/providers/user-pool.ts';
import { TokenClient } from '../identity/token-client.ts';
import { CognitoTokenValidator as Validator } from '../identity/token-validator.ts';
import { isSecureUrl } from '../kit/net/secure-url.ts';
import { type Clock, systemClock } from '../kit/timing/clock.ts';
import { type ServiceCaller, serviceCaller } from './service-caller.ts';
import type { TokenRequest, TokenSource } from './token-source.ts';

export interface CognitoTokenValidatorOptions {
  readonly pools: readonly [UserPool, ...UserPool[]];
  /**
   * Claims, besides `sub` and `client_id`, that `caller.claims` holds and service roles may match. What cannot be compared, and
   * an `email` or a `phone_number` that nobody verified, is in `caller.incomparableClaims` by its name alone.
   */
  readonly matchableClaims?: readonly string[];
  /** For `token()`. */
  readonly client?: ClientCredentials;
}

export interface UserPool {
  /** For example us-east-1_AbCdEf123. */
  readonly userPoolId: string;
  /** Exact `iss` of its tokens. Default: `https://cognito-idp.<region of the id>.amazonaws.com/<id>`. */
  readonly issuer?: string;
  /** Default: the issuer and `/.well-known/jwks.json`. */
  readonly jwksUri?: string;
  /** App clients whose tokens are accepted. */
  readonly clients: readonly [string, ...string[]];
  /** Kinds of tokens that are accepted. Default: access tokens. */
  readonly tokenUse?: readonly ('access' | 'id')[];
}

export interface ClientCredentials {
  /** `https://<domain of the pool>/oauth2/token`; plain http only to this machine. */
  readonly tokenEndpoint: string;
  readonly clientId: string;
  /** A function is asked before each request, so a rotated secret is picked up. */
  readonly clientSecret: string | (() => string | Promise<string>);
  /** Default: every scope that the app client has. */
  readonly scopes?: readonly string[];
  /** Default 5,000. */
  readonly timeoutMs?: number;
}

/**
 * Tokens of Cognito user pools: checks those of others, locally and with the strictness of the broker, and gets
 * one of its own for calls to other services.
 *
 * The keys of the pools are fetched with the first token, refreshed every 5 minutes, and relied on for 24 hours
 * when their issuer cannot be reached.
 */
export class CognitoTokenValidator implements TokenSource {
  /** As configured. */
  readonly matchableClaims: ReadonlySet<string>;
  readonly #keys: JwksSource;
  readonly #validator: Validator;
  readonly #tokens: TokenClient | undefined;
  #started: Promise<void> | undefined;

  /** @throws TypeError for options that would weaken the checks. */
  constructor(
    { pools, matchableClaims = [], client }: CognitoTokenValidatorOptions,
    clock: Clock = systemClock,
  ) {
    const issuers = pools.map(trustedUserPool);
    this.matchableClaims = new Set(matchableClaims);
    this.#keys = new JwksSource({ issuers, clock });
    this.#validator = new Validator({
      issuers,
      keys: this.#keys,
      clock,
      matchableClaims: this.matchableClaims,
    });
    this.#tokens = client && new TokenClient({ ...client, clock });
  }

  /**
   * The caller that the token proves.
   *
   * @throws BrokerError with a `token_…` code when the token is refused, `keys_unavailable` when the keys of its
   * issuer are not to be had.
   */
  async validate(token: string): Promise<ServiceCaller> {
    this.#started ??= this.#keys.start();
    await this.#started;
    return serviceCaller(await this.#validator.validate(token));
  }

  /**
   * An access token of the configured client: kept, renewed in the last quarter of its life, one request at a
   * time.
   *
   * @throws TokenRequestError; TypeError if no client is configured.
   */
  async token(request?: TokenRequest): Promise<string> {
    if (this.#tokens === undefined) {
      throw new TypeError('token() needs the option "client" of CognitoTokenValidator');
    }
    return this.#tokens.token(request);
  }

  /** Ends everything in the background; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#tokens?.stop();
    await this.#keys.stop();
  }
}

function trustedUserPool(pool: UserPool): TrustedIssuer {
  const { userPoolId, clients, tokenUse = ['access'] } = pool;
  if (!userPoolIdPattern.test(userPoolId)) {
    throw new TypeError('userPoolId must be the id of a user pool, such as us-east-1_AbCdEf123');
  }
  const { issuer = issuersOf(userPoolId)[0] } = pool;
  const trusted = userPool.trust({
    pool: userPoolId,
    issuer,
    jwksUri: pool.jwksUri,
    clients: [...clients],
    tokenUse: [...tokenUse],
  });
  // Whoever answers there decides which tokens are good.
  if (![issuer, trusted.jwksUri].every((url) => URL.canParse(url) && isSecureUrl(new URL(url)))) {
    throw new TypeError('issuer and jwksUri must be https URLs, or http to this machine');
  }
  return trusted;
}
