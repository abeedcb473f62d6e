/** What the claims of a token must be (RFC 7519), whoever issued it, before its signature is worth checking. */

import { BrokerError } from '../core/errors.ts';
import { isStringList, type JsonObject } from '../kit/json/json-object.ts';

export interface ClaimLimits {
  /** Longest accepted lifetime, `exp` minus `iat`. */
  readonly maxTokenAgeSeconds: number;
  /** The same for `exp`, `nbf` and `iat`. */
  readonly clockToleranceSeconds: number;
}

/** Epoch milliseconds. */
export interface TokenTimes {
  readonly issuedAt: number;
  readonly notBefore: number | undefined;
  /** `auth_time`. */
  readonly signedInAt: number | undefined;
  readonly expiresAt: number;
}

export interface CheckedClaims extends TokenTimes {
  readonly subject: string;
  readonly all: JsonObject;
}

/** @throws BrokerError with a `token_…` code. */
export function checkClaims(claims: JsonObject, limits: ClaimLimits, now: number): CheckedClaims {
  const times = readTimes(claims, limits);
  requireTimely(times, limits, now);
  requireShapes(claims);
  const { sub } = claims;
  // STS answers SubjectFromWebIdentityToken with at most 255 characters.
  if (typeof sub !== 'string' || !plainText.test(sub)) {
    throw invalid('must have a "sub" of 1 to 255 printable ASCII characters');
  }
  return { ...times, subject: sub, all: claims };
}

/** A token's lifetime: epoch milliseconds. */
export interface Lifetime {
  readonly startsAt: number;
  readonly expiresAt: number;
}

/** Whether the clock is inside of it, give or take the tolerance. */
export function isTimely(
  { startsAt, expiresAt }: Lifetime,
  { clockToleranceSeconds }: ClaimLimits,
  now: number,
): boolean {
  const tolerance = clockToleranceSeconds * 1000;
  return now < expiresAt + tolerance && startsAt <= now + tolerance;
}

function requireTimely(times: TokenTimes, limits: ClaimLimits, now: number): void {
  const lifetime = { startsAt: startOf(times), expiresAt: times.expiresAt };
  if (isTimely(lifetime, limits, now)) return;
  if (lifetime.startsAt > now) {
    throw new BrokerError('token_not_yet_valid', {
      detail: 'The token starts in the future: check the clocks of its issuer and of this service.',
    });
  }
  throw new BrokerError('token_expired', { detail: 'Get a new token from its issuer.' });
}

/** A sign-in that is still to come proves nothing yet, and would be recent for ever. */
export function startOf({ issuedAt, notBefore = 0, signedInAt = 0 }: TokenTimes): number {
  return Math.max(issuedAt, notBefore, signedInAt);
}

function readTimes(claims: JsonObject, { maxTokenAgeSeconds }: ClaimLimits): TokenTimes {
  const exp = requireSeconds(claims, 'exp');
  const iat = requireSeconds(claims, 'iat');
  const nbf = optionalSeconds(claims, 'nbf');
  const authTime = optionalSeconds(claims, 'auth_time');
  if (exp <= iat) throw invalid('must expire after it was issued');
  if (exp - iat > maxTokenAgeSeconds) {
    throw invalid(`must not be valid for more than ${maxTokenAgeSeconds} seconds`);
  }
  return {
    issuedAt: iat * 1000,
    notBefore: nbf === undefined ? undefined : nbf * 1000,
    signedInAt: authTime === undefined ? undefined : authTime * 1000,
    expiresAt: exp * 1000,
  };
}

function requireSeconds(claims: JsonObject, name: string): number {
  const value = optionalSeconds(claims, name);
  if (value === undefined) throw invalid(`must have the claim "${name}"`);
  return value;
}

function optionalSeconds(claims: JsonObject, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value <= 0) {
    throw invalid(`must have a whole number of seconds since 1970 in the claim "${name}"`);
  }
  return value;
}

const plainText = /^[\x20-\x7e]{1,255}$/;
const plainClaims = ['jti', 'client_id', 'azp', 'token_use'];
const stringClaims = ['scope', 'username'];

function requireShapes(claims: JsonObject): void {
  for (const name of plainClaims) {
    const value = claims[name];
    if (value !== undefined && (typeof value !== 'string' || !plainText.test(value))) {
      throw invalid(`must have 1 to 255 printable ASCII characters in the claim "${name}"`);
    }
  }
  for (const name of stringClaims) {
    const value = claims[name];
    if (value !== undefined && typeof value !== 'string') {
      throw invalid(`must have a string in the claim "${name}"`);
    }
  }
  const { aud } = claims;
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (aud !== undefined && !audiences.every((item) => typeof item === 'string' && item !== '')) {
    throw invalid('must have a string or a list of strings in the claim "aud"');
  }
}

/** No control characters and no lone surrogates: names end up in logs and in keys of maps. */
const namePattern = /^[^\p{Cc}\p{Cs}]{1,512}$/u;

/** Undefined where the token does not have the claim. */
export function readNames(claims: JsonObject, claim: string): readonly string[] | undefined {
  const names = claims[claim];
  if (names === undefined) return undefined;
  if (!isStringList(names) || !names.every((name) => namePattern.test(name))) {
    throw invalid(`must have a list of names in the claim "${claim}"`);
  }
  requireNormalized(claim, names);
  return [...new Set(names)];
}

/** Names are compared byte for byte: two spellings of one name would slip past a deny (T25). */
export function requireNormalized(claim: string, values: readonly string[]): void {
  if (values.some((value) => value.normalize('NFC') !== value)) {
    throw invalid(`must have text in Unicode normalization form C in the claim "${claim}"`);
  }
}

export function invalid(detail: string): BrokerError {
  return new BrokerError('token_claims_invalid', { detail: `The token ${detail}.` });
}

export function clientRefused(): BrokerError {
  return new BrokerError('token_client_refused', {
    detail: 'Have the app client listed for this user pool in the configuration.',
  });
}
