import { createHash } from 'node:crypto';
import { type JsonObject, parseJsonObject } from '../kit/json/json-object.ts';

export interface CacheKeyInput {
  /** Of the broker, as the URL parser prints it. */
  readonly url: string;
  readonly role: string | undefined;
  readonly durationSeconds: number | undefined;
  /** Different for any two callers that the broker might treat differently. */
  readonly identity: readonly string[];
}

/** Lower-case hex SHA-256 over everything that shapes the credentials: two callers never share a file. */
export function cacheKey({ url, role, durationSeconds, identity }: CacheKeyInput): string {
  const input = JSON.stringify([1, url, role ?? null, durationSeconds ?? null, ...identity]);
  return createHash('sha256').update(input).digest('hex');
}

/**
 * Who a token is about: every claim but those that differ from one token to the next of the same caller, so a
 * group that was taken away or a new scope is another identity. Nothing is verified: this names a file of the
 * user's own, and lets nobody in.
 */
export function identityOfToken(token: string): readonly string[] {
  const claims = claimsOf(token);
  if (claims === undefined) return ['token', createHash('sha256').update(token).digest('hex')];
  const lasting = Object.entries(claims).filter(([name]) => !perToken.has(name));
  return ['claims', JSON.stringify(lasting.sort(([a], [b]) => (a < b ? -1 : 1)))];
}

/** RFC 7519 section 4.1, and what Cognito adds for revocation and sign-in. */
const perToken: ReadonlySet<string> = new Set([
  'exp',
  'iat',
  'nbf',
  'jti',
  'auth_time',
  'origin_jti',
  'event_id',
]);

const compactJwt = /^[\w-]+\.([\w-]+)\.[\w-]+$/;

function claimsOf(token: string): JsonObject | undefined {
  // What was cut off, or is no JWT, is not taken for the one that it was.
  const payload = Buffer.from(compactJwt.exec(token)?.[1] ?? '', 'base64url').toString('utf8');
  const claims = parseJsonObject(payload);
  return claims !== undefined && 'iss' in claims ? claims : undefined;
}
