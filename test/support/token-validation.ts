import { BrokerError, type BrokerErrorCode } from '../../src/core/errors.ts';
import type { TokenValidator } from '../../src/core/ports.ts';
import type { JwksFetchEvent, JwksStoreEvent } from '../../src/identity/keys/jwks-observer.ts';
import { JwksSource, type JwksSourceOptions } from '../../src/identity/keys/jwks-source.ts';
import {
  type IdentityPoolSettings,
  identityPool,
} from '../../src/identity/providers/identity-pool.ts';
import { type UserPoolSettings, userPool } from '../../src/identity/providers/user-pool.ts';
import {
  CognitoTokenValidator,
  type CognitoTokenValidatorOptions,
} from '../../src/identity/token-validator.ts';
import { type JwksServer, startJwksServer } from './jwks-server.ts';
import { createTestClock, type TestClock } from './test-clock.ts';
import { type TestKey, testClient } from './tokens.ts';

export const testPool = 'us-east-1_AbCdEf123';
export const testIssuer = `https://cognito-idp.us-east-1.amazonaws.com/${testPool}`;

export interface ValidationOptions {
  /** What the issuer publishes. */
  readonly publish: readonly TestKey[];
  /** Changes to the pool that is always there. */
  readonly pool?: Partial<UserPoolSettings>;
  /** Further issuers with the same JWKS URI. */
  readonly otherPools?: readonly UserPoolSettings[];
  readonly identityPools?: readonly Omit<IdentityPoolSettings, 'jwksUri'>[];
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
  const ownPool = { pool: testPool, issuer: testIssuer, jwksUri, clients: [testClient] };
  const userPools: UserPoolSettings[] = [
    { ...ownPool, tokenUse: ['access', 'id'], ...options.pool },
    ...(options.otherPools ?? []),
  ];
  const issuers = [
    ...userPools.map((pool) => userPool.trust(pool)),
    ...(options.identityPools ?? []).map((pool) => identityPool.trust({ ...pool, jwksUri })),
  ];
  const fetches: JwksFetchEvent[] = [];
  const storeFailures: JwksStoreEvent[] = [];
  const waiting: ((event: JwksFetchEvent) => void)[] = [];
  const source = new JwksSource({
    issuers,
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
    issuers,
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
