import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto';
import { isJsonObject } from '../../src/kit/json/json-object.ts';
import { StsError } from './sts-error.ts';

/** A parsed JWT: its claims say what they say, nothing is verified yet. */
export interface WebIdentityToken {
  readonly algorithm: SigningAlgorithm;
  readonly keyId: string | undefined;
  readonly issuer: string;
  readonly subject: string;
  /** What STS compares with the client ids of the provider: `azp` if the token has one, else `aud`. */
  readonly audience: string;
  /** The `aud` claim itself. */
  readonly originalAudiences: readonly string[];
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
  readonly notBeforeSeconds: number | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly signingInput: string;
  readonly signature: Buffer;
}

export type SigningAlgorithm = keyof typeof algorithms;

/** The algorithms that the API reference of AssumeRoleWithWebIdentity lists; neither PS* nor EdDSA is among them. */
const algorithms = {
  RS256: { digest: 'sha256', keyType: 'rsa', curve: undefined },
  RS384: { digest: 'sha384', keyType: 'rsa', curve: undefined },
  RS512: { digest: 'sha512', keyType: 'rsa', curve: undefined },
  ES256: { digest: 'sha256', keyType: 'ec', curve: 'prime256v1' },
  ES384: { digest: 'sha384', keyType: 'ec', curve: 'secp384r1' },
  ES512: { digest: 'sha512', keyType: 'ec', curve: 'secp521r1' },
} as const;

/**
 * Throws `InvalidIdentityToken` for what is no JWT, and for one whose claims STS does not take. What STS takes, and its
 * words, are as recorded on real AWS in September 2026. It takes more than the broker does, such as a claim twice.
 */
export function parseWebIdentityToken(jwt: string): WebIdentityToken {
  const [header, payload, signature, ...rest] = jwt.split('.');
  if (!header || !payload || !signature || rest.length > 0) throw notAJwt();
  const { alg, kid, crit } = parseJsonPart(header);
  // RFC 7515 §4.1.11: extensions that are marked critical and not understood make the token invalid.
  if (typeof alg !== 'string' || !isSigningAlgorithm(alg) || crit !== undefined) throw notAJwt();

  const claims = parseJsonPart(payload);
  for (const name of ['iss', 'sub', 'aud', 'iat', 'exp']) {
    if (claims[name] === undefined) throw invalid(`Missing a required claim: ${name}`);
  }
  const originalAudiences = audiencesOf(claims['aud']);
  return {
    algorithm: alg,
    keyId: typeof kid === 'string' ? kid : undefined,
    issuer: requiredIssuer(claims['iss']),
    subject: subjectOf(claims['sub']),
    audience: audienceOf(claims['azp'], originalAudiences),
    originalAudiences,
    issuedAtSeconds: secondsOf(claims['iat']),
    expiresAtSeconds: secondsOf(claims['exp']),
    notBeforeSeconds: claims['nbf'] === undefined ? undefined : secondsOf(claims['nbf']),
    claims,
    signingInput: `${header}.${payload}`,
    signature: decodePart(signature),
  };
}

/** The kind of key that the token's algorithm needs. */
export function keyTypeOf({ algorithm }: WebIdentityToken): 'RSA' | 'EC' {
  return algorithms[algorithm].keyType === 'rsa' ? 'RSA' : 'EC';
}

/** False for a wrong signature and for a key that does not fit the token's algorithm. The key's `alg` is not looked at. */
export function hasValidSignature(token: WebIdentityToken, jwk: JsonWebKey): boolean {
  const { digest, keyType, curve } = algorithms[token.algorithm];
  const key = publicKeyOf(jwk);
  if (key?.asymmetricKeyType !== keyType) return false;
  if (key.asymmetricKeyDetails?.namedCurve !== curve) return false;
  // ECDSA signatures in a JWS are r and s side by side (RFC 7518 §3.4), not DER.
  const options = { key, dsaEncoding: 'ieee-p1363' } as const;
  return verify(digest, Buffer.from(token.signingInput), options, token.signature);
}

/** The wording for an audience that is none of the provider's, and for an empty one. */
export function notValidated(): StsError {
  return invalid(
    'The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.',
  );
}

function publicKeyOf(jwk: JsonWebKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return undefined;
  }
}

function isSigningAlgorithm(alg: string): alg is SigningAlgorithm {
  return Object.hasOwn(algorithms, alg);
}

function parseJsonPart(part: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(decodePart(part)));
  } catch {
    throw notAJwt();
  }
  if (!isJsonObject(value)) throw notAJwt();
  return value;
}

/** Buffer skips what is not base64url, so only a text that encodes back to itself is accepted. */
function decodePart(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) throw notAJwt();
  return bytes;
}

/** Issuers have at most 255 characters in IAM. */
function requiredIssuer(issuer: unknown): string {
  if (typeof issuer === 'string' && issuer !== '' && issuer.length <= 255) return issuer;
  throw notAJwt();
}

/** Also an empty one, a number or one of 300 characters. */
function subjectOf(subject: unknown): string {
  if (subject === null) throw new StsError('InternalFailure', 'The request processing has failed');
  if (typeof subject === 'string') return subject;
  if (typeof subject === 'number') return String(subject);
  throw notAJwt();
}

/** Whole numbers, as numbers or as text. */
function secondsOf(value: unknown): number {
  const text = typeof value === 'string' && /^\d{1,15}$/.test(value);
  const seconds = text ? Number(value) : value;
  if (Number.isSafeInteger(seconds)) return seconds as number;
  throw invalid('Invalid timestamp in token claims.');
}

function audiencesOf(aud: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (values.length === 0) throw invalid('Claim is not allowed to be empty: aud');
  if (!values.every((value) => typeof value === 'string')) throw notAJwt();
  return values as readonly string[];
}

/** An authorized party stands in for the audience, even an empty one. */
function audienceOf(azp: unknown, audiences: readonly string[]): string {
  const [audience = '', another] = audiences;
  if (azp !== undefined && typeof azp !== 'string') throw notAJwt();
  if (azp === undefined && another !== undefined) {
    throw invalid(
      'Token audience contains more than one audience while authorized party is not present',
    );
  }
  const compared = azp ?? audience;
  if (compared === '') throw notValidated();
  return compared;
}

function notAJwt(): StsError {
  return invalid(
    'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
  );
}

function invalid(message: string): StsError {
  return new StsError('InvalidIdentityToken', message);
}
