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
  readonly audience: string | undefined;
  /** The `aud` claim itself. */
  readonly originalAudiences: readonly string[];
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

/** Throws `InvalidIdentityToken` for what is no JWT, and for one that lacks a claim STS requires. */
export function parseWebIdentityToken(jwt: string): WebIdentityToken {
  const [header, payload, signature, ...rest] = jwt.split('.');
  if (!header || !payload || !signature || rest.length > 0) throw notAJwt();
  const { alg, kid, crit } = parseJsonPart(header);
  // RFC 7515 §4.1.11: extensions that are marked critical and not understood make the token invalid.
  if (typeof alg !== 'string' || !isSigningAlgorithm(alg) || crit !== undefined) throw notAJwt();

  const claims = parseJsonPart(payload);
  const issuer = requiredText(claims, 'iss');
  const originalAudiences = audiencesOf(claims['aud']);
  const subject = requiredText(claims, 'sub');
  requiredSeconds(claims, 'iat');
  const expiresAtSeconds = requiredSeconds(claims, 'exp');
  const azp = claims['azp'];
  return {
    algorithm: alg,
    keyId: typeof kid === 'string' ? kid : undefined,
    issuer,
    subject,
    audience: typeof azp === 'string' && azp !== '' ? azp : onlyOne(originalAudiences),
    originalAudiences,
    expiresAtSeconds,
    notBeforeSeconds: claims['nbf'] === undefined ? undefined : requiredSeconds(claims, 'nbf'),
    claims,
    signingInput: `${header}.${payload}`,
    signature: decodePart(signature),
  };
}

/** False for a wrong signature and for a key that does not fit the token's algorithm. */
export function hasValidSignature(token: WebIdentityToken, jwk: JsonWebKey): boolean {
  const { digest, keyType, curve } = algorithms[token.algorithm];
  const key = publicKeyOf(jwk);
  if (key?.asymmetricKeyType !== keyType) return false;
  if (key.asymmetricKeyDetails?.namedCurve !== curve) return false;
  if (jwk['alg'] !== undefined && jwk['alg'] !== token.algorithm) return false;
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return false;
  // ECDSA signatures in a JWS are r and s side by side (RFC 7518 §3.4), not DER.
  const options = { key, dsaEncoding: 'ieee-p1363' } as const;
  return verify(digest, Buffer.from(token.signingInput), options, token.signature);
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

function requiredText(claims: Record<string, unknown>, name: string): string {
  const value = claims[name];
  if (value === undefined || value === '') throw missingClaim(name);
  // 255 is the longest subject that an answer can carry; issuers have the same limit in IAM.
  if (typeof value !== 'string' || value.length > 255) throw notAJwt();
  return value;
}

/** "Timestamps must be integer or long": a fraction is refused. */
function requiredSeconds(claims: Record<string, unknown>, name: string): number {
  const value = claims[name];
  if (value === undefined) throw missingClaim(name);
  if (!Number.isSafeInteger(value)) throw notAJwt();
  return value as number;
}

function audiencesOf(aud: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (aud === undefined || aud === '' || values.length === 0) throw missingClaim('aud');
  if (!values.every((value) => typeof value === 'string')) throw notAJwt();
  return values as readonly string[];
}

/** How STS treats several audiences is not documented: without `azp` they match no client id here. */
function onlyOne(values: readonly string[]): string | undefined {
  return values.length === 1 ? values[0] : undefined;
}

function notAJwt(): StsError {
  return new StsError(
    'InvalidIdentityToken',
    'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
  );
}

function missingClaim(name: string): StsError {
  return new StsError('InvalidIdentityToken', `Missing a required claim: ${name}`);
}
