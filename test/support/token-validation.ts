import { BrokerError, type BrokerErrorCode } from '../../src/core/errors.ts';
import type { TokenValidator } from '../../src/core/ports.ts';
import type { JwksFetchEvent, JwksStoreEvent } from '../../src/identity/keys/jwks-observer.ts';
import { JwksSource, type JwksSourceOptions } from '../../src/identity/keys/jwks-source.ts';
import {
  CognitoTokenValidator,
  type CognitoTokenValidatorOptions,
} from '../../src/identity/token-validator.ts';
import {
  type IdentityPoolOptions,
  trustedIssuers,
  type UserPoolOptions,
} from '../../src/identity/trusted-issuers.ts';
import { type JwksServer, startJwksServer } from './jwks-server.ts';
import { createTestClock, type TestClock } from './test-clock.ts';
import { type TestKey, testClient } from './tokens.ts';

export const testPool = 'us-east-1_AbCdEf123';
export const testIssuer = `https://cognito-idp.us-east-1.amazonaws.com/${testPool}`;

export interface ValidationOptions {
  /** What the issuer publishes. */
  readonly publish: readonly TestKey[];
  /** Changes to the pool that is always there. */
  readonly pool?: Partial<UserPoolOptions>;
  /** Further issuers with the same JWKS URI. */
  readonly otherPools?: readonly UserPoolOptions[];
  readonly identityPools?: readonly Omit<IdentityPoolOptions, 'jwksUri'>[];
  readonly validator?: Partial<CognitoTokenValidatorOptions>;
  readonly source?: Partial<JwksSourceOptions>;
  readonly clock?: TestClock;
  /** Instead of a new one. */
  readonly server?: JwksServer;
}

export interface Validation {
  readonly clock: TestClock;
  readonly server: JwksServer;
  readonly source: JwksSource;
  readonly validator: CognitoTokenValidator;
  readonly fetches: readonly JwksFetchEvent[];
  readonly storeFailures: readonly JwksStoreEvent[];
  /** Resolves at the end of the next fetch. */
  nextFetch(): Promise<JwksFetchEvent>;
  stop(): Promise<void>;
}

/** A validator for one user pool, and what it stands on: the real parts around a loopback issuer. */
export async function startValidation(options: ValidationOptions): Promise<Validation> {
  const clock = options.clock ?? createTestClock();
  const server = options.server ?? (await startJwksServer(...options.publish));
  const { jwksUri } = server;
  const userPool = { pool: testPool, issuer: testIssuer, jwksUri, clients: [testClient] };
  const userPools: UserPoolOptions[] = [
    { ...userPool, tokenUse: ['access', 'id'], ...options.pool },
    ...(options.otherPools ?? []),
  ];
  const identityPools = (options.identityPools ?? []).map((pool) => ({ ...pool, jwksUri }));
  const fetches: JwksFetchEvent[] = [];
  const storeFailures: JwksStoreEvent[] = [];
  const waiting: ((event: JwksFetchEvent) => void)[] = [];
  const source = new JwksSource({
    issuers: trustedIssuers({ userPools, identityPools }).values(),
    clock,
    random: () => 0.5,
    observer: {
      onFetch(event) {
        fetches.push(event);
        for (const resolve of waiting.splice(0)) resolve(event);
      },
      onStoreFailed: (event) => storeFailures.push(event),
    },
    ...options.source,
  });
  const validator = new CognitoTokenValidator({
    userPools,
    identityPools,
    keys: source,
    clock,
    matchableClaims: new Set(),
    ...options.validator,
  });
  return {
    clock,
    server,
    source,
    validator,
    fetches,
    storeFailures,
    nextFetch: () => new Promise((resolve) => waiting.push(resolve)),
    async stop() {
      await server.stop();
      await source.stop();
    },
  };
}

/** The code of the refusal, or `accepted`. Anything that is not a refusal by this service fails the test. */
export async function verdict(
  validator: TokenValidator,
  token: string,
): Promise<BrokerErrorCode | 'accepted'> {
  try {
    await validator.validate(token, '192.0.2.1');
    return 'accepted';
  } catch (error) {
    if (error instanceof BrokerError) return error.code;
    throw error;
  }
}
