import { JwtInvalidSignatureError } from 'aws-jwt-verify/error';
import { verifyJwtSync } from 'aws-jwt-verify/jwt-verifier';
import type { LRUCache } from 'lru-cache';
import type { Caller, DescribingClaim } from '../core/caller.ts';
import { BrokerError } from '../core/errors.ts';
import type { ClaimedSubject, IssuerKeyView, KnownTokens, TokenValidator } from '../core/ports.ts';
import { tokenDigest } from '../core/token-digest.ts';
import { boundedMap } from '../kit/calls/bounded-map.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { callerFromClaims } from './caller-from-claims.ts';
import type { VerificationKey } from './keys/jwks.ts';
import type { JwksSource } from './keys/jwks-source.ts';
import type { TokenIdentity, TrustedIssuer } from './providers/provider.ts';
import {
  type CheckedClaims,
  type ClaimLimits,
  checkClaims,
  isTimely,
  startOf,
} from './token-claims.ts';
import { malformed, readToken, requireTokenSize, type UnverifiedToken } from './token-format.ts';
import {
  issuerOf,
  requireTrusted,
  type TrustedIssuers,
  trustedIssuers,
} from './trusted-issuers.ts';

export interface CognitoTokenValidatorOptions extends Partial<ClaimLimits> {
  /** The allow-list: of no other are tokens accepted. */
  readonly issuers: readonly TrustedIssuer[];
  /** Must know every `iss`. */
  readonly keys: JwksSource;
  readonly clock: Clock;
  /** Default 8192, at most 16,384: STS takes no more than 20,000 characters. */
  readonly maxTokenBytes?: number;
  readonly matchableClaims: ReadonlySet<string>;
  /** Claims that records are to have. Default: none. */
  readonly describe?: ReadonlySet<DescribingClaim>;
  /** How many verified tokens are remembered. Default 10,000. */
  readonly maxVerifiedTokens?: number;
}

/** Passed every check but that of its signature. */
interface PendingToken {
  readonly token: string;
  readonly tokenSha256: string;
  readonly issuer: TrustedIssuer;
  readonly claims: CheckedClaims;
  readonly identity: TokenIdentity;
}

interface VerifiedToken {
  readonly caller: Caller;
  /** Epoch milliseconds. */
  readonly startsAt: number;
  readonly key: VerificationKey;
}

/**
 * Tokens of Cognito, and of whatever else `providers/` knows. The strict checks come first, because a credential broker
 * must refuse much that a JWT library may accept; the signature is then verified by aws-jwt-verify.
 */
export class CognitoTokenValidator implements TokenValidator, KnownTokens, IssuerKeyView {
  #issuers: TrustedIssuers;
  readonly #keys: JwksSource;
  readonly #clock: Clock;
  readonly #maxTokenBytes: number;
  readonly #limits: ClaimLimits;
  readonly #matchableClaims: ReadonlySet<string>;
  readonly #describe: ReadonlySet<DescribingClaim>;
  /** By SHA-256 of the token: no tokens are kept. */
  readonly #verified: LRUCache<string, VerifiedToken>;

  /** @throws TypeError or RangeError for options that would weaken the checks. */
  constructor(options: CognitoTokenValidatorOptions) {
    this.#issuers = trustedIssuers(options.issuers);
    this.#keys = options.keys;
    this.#clock = options.clock;
    this.#maxTokenBytes = options.maxTokenBytes ?? 8192;
    this.#limits = {
      maxTokenAgeSeconds: options.maxTokenAgeSeconds ?? 24 * 60 * 60,
      clockToleranceSeconds: options.clockToleranceSeconds ?? 30,
    };
    requireWithin('maxTokenBytes', this.#maxTokenBytes, 16_384);
    requireWithin('maxTokenAgeSeconds', this.#limits.maxTokenAgeSeconds, 24 * 60 * 60);
    requireWithin('clockToleranceSeconds', this.#limits.clockToleranceSeconds, 60);
    this.#matchableClaims = options.matchableClaims;
    this.#describe = options.describe ?? new Set();
    this.#verified = boundedMap(options.maxVerifiedTokens ?? 10_000);
  }

  /**
   * From now on these are the allow-list. What was verified of others is forgotten, and what is being verified is judged
   * by these (T275).
   */
  trust(issuers: readonly TrustedIssuer[]): void {
    this.#issuers = trustedIssuers(issuers);
    for (const [tokenSha256, { caller }] of [...this.#verified.entries()]) {
      if (!this.accepts(caller)) this.#verified.delete(tokenSha256);
    }
  }

  requireStillAccepted(caller: Caller): void {
    requireTrusted(caller, this.#issuers);
  }

  accepts(caller: Caller): boolean {
    try {
      this.requireStillAccepted(caller);
      return true;
    } catch {
      return false;
    }
  }

  recall(token: string): Caller | undefined {
    if (token.length > this.#maxTokenBytes) return undefined;
    return this.#recall(tokenDigest(token), this.#clock.now());
  }

  claimedSubject(token: string): ClaimedSubject | undefined {
    try {
      requireTokenSize(token, this.#maxTokenBytes);
      const { iss, sub } = readToken(token).claims;
      return typeof iss === 'string' && typeof sub === 'string'
        ? { issuer: iss, subject: sub }
        : undefined;
    } catch {
      return undefined;
    }
  }

  wasGenuine(token: string): boolean {
    try {
      requireTokenSize(token, this.#maxTokenBytes);
      const unverified = readToken(token);
      const issuer = issuerOf(unverified.claims, this.#issuers);
      requireAlgorithm(unverified, issuer);
      const key = this.#keys.current(issuer.issuer, unverified.kid);
      if (key === undefined) return false;
      // By the time at which it was made.
      const { iat } = unverified.claims;
      checkClaims(unverified.claims, this.#limits, Number(iat) * 1000);
      verifySignature({ token, issuer, identity: issuer.identify(unverified.claims) }, key);
      return true;
    } catch {
      return false;
    }
  }

  lacksKeyOf(token: string): boolean {
    const { claims, kid } = readToken(token);
    // One that the broker issued itself is of no issuer that is trusted here.
    if (!this.#issuers.has(String(claims['iss']))) return false;
    const { issuer } = issuerOf(claims, this.#issuers);
    return this.#keys.ready(issuer) && this.#keys.current(issuer, kid) === undefined;
  }

  validate(token: string): Caller | Promise<Caller> {
    requireTokenSize(token, this.#maxTokenBytes);
    const tokenSha256 = tokenDigest(token);
    const now = this.#clock.now();
    const known = this.#recall(tokenSha256, now);
    if (known !== undefined) return known;

    const unverified = readToken(token);
    const issuer = issuerOf(unverified.claims, this.#issuers);
    requireAlgorithm(unverified, issuer);
    const claims = checkClaims(unverified.claims, this.#limits, now);
    const identity = issuer.identify(unverified.claims);
    const key = this.#keys.find(issuer.issuer, unverified.kid);

    const pending = { token, tokenSha256, issuer, claims, identity };
    return key instanceof Promise
      ? key.then((found) => this.#verify(pending, found))
      : this.#verify(pending, key);
  }

  #verify(pending: PendingToken, key: VerificationKey): Caller {
    verifySignature(pending, key);
    const { tokenSha256, issuer, claims, identity } = pending;
    const caller = callerFromClaims(claims, {
      issuer,
      identity,
      tokenSha256,
      matchableClaims: this.#matchableClaims,
      describe: this.#describe,
    });
    // The key may have been waited for.
    this.requireStillAccepted(caller);
    this.#verified.set(tokenSha256, { caller, startsAt: startOf(claims), key });
    return caller;
  }

  /** A token verified before, if nothing that can change since has changed: the time, and the key (T15). */
  #recall(tokenSha256: string, now: number): Caller | undefined {
    const known = this.#verified.get(tokenSha256);
    if (known === undefined) return undefined;
    const { caller, startsAt, key } = known;
    const lifetime = { startsAt, expiresAt: caller.expiresAt };
    const current = this.#keys.current(caller.issuer, key.jwk.kid);
    if (current === key && isTimely(lifetime, this.#limits, now)) return caller;
    this.#verified.delete(tokenSha256);
    return undefined;
  }
}

function requireWithin(option: string, value: number, max: number): void {
  if (!(value >= 0 && value <= max)) throw new RangeError(`${option} must be 0 to ${max}`);
}

/** The algorithm is the issuer's, not the token's choice (T1, T2). */
function requireAlgorithm(unverified: UnverifiedToken, { keyType }: TrustedIssuer): void {
  if (unverified.algorithm !== keyType.algorithm) {
    throw malformed(`must be signed with ${keyType.algorithm}, the algorithm of its issuer`);
  }
}

function verifySignature(
  { token, issuer, identity }: Pick<PendingToken, 'token' | 'issuer' | 'identity'>,
  { jwk, publicKey }: VerificationKey,
): void {
  try {
    verifyJwtSync(
      token,
      jwk,
      {
        issuer: issuer.issuer,
        audience: issuer.shared?.audience ?? null,
        // The library reads its own clock; the times were judged, more strictly, by the injected one.
        graceSeconds: Number.POSITIVE_INFINITY,
        customJwtCheck({ payload }) {
          issuer.confirm?.(payload, identity);
        },
      },
      // The vetted key itself: a cache by issuer and kid could hold on to material that was replaced.
      () => publicKey,
    );
  } catch (cause) {
    if (cause instanceof JwtInvalidSignatureError) {
      throw new BrokerError('token_signature_invalid', {
        detail: 'Send the token exactly as its issuer made it.',
      });
    }
    throw new BrokerError('token_claims_invalid', { cause });
  }
}
