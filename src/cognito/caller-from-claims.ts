import type { Caller, ClaimValue } from '../core/caller.ts';
import { type CheckedClaims, invalid, isStringList, requireNormalized } from './token-claims.ts';
import { isJsonObject, type JsonObject } from './token-format.ts';

export interface CallerOptions {
  readonly issuer: string;
  readonly tokenSha256: string;
  /** Names of the claims, beyond `sub` and `client_id`, that mappings may match. */
  readonly matchableClaims: ReadonlySet<string>;
}

/**
 * Only for claims whose signature has been verified.
 *
 * @throws BrokerError `token_claims_invalid`.
 */
export function callerFromClaims(checked: CheckedClaims, options: CallerOptions): Caller {
  const { all, subject, clientId, tokenUse } = checked;
  const { scope, azp, aud, jti } = all;
  return {
    issuer: options.issuer,
    pool: checked.pool,
    subject,
    clientId,
    tokenUse,
    machine: tokenUse === 'access' && subject === clientId && all['username'] === undefined,
    groups: checked.groups,
    scopes: new Set(typeof scope === 'string' ? scope.split(' ').filter(Boolean) : []),
    audience: [azp, aud].find((value) => typeof value === 'string'),
    claims: matchable(checked, options.matchableClaims),
    sessionClaims: sessionClaims(all),
    tokenId: typeof jti === 'string' ? jti : undefined,
    tokenSha256: options.tokenSha256,
    issuedAt: checked.issuedAt,
    signedInAt: checked.signedInAt,
    amr: checked.amr,
    expiresAt: checked.expiresAt,
  };
}

function matchable(
  { all, subject, clientId }: CheckedClaims,
  names: ReadonlySet<string>,
): ReadonlyMap<string, ClaimValue> {
  const claims = new Map<string, ClaimValue>();
  for (const name of names) {
    const value = all[name];
    // Anyone may sign up with an address that is not theirs (T17).
    if (name === 'email' && !emailIsVerified(all)) continue;
    if (typeof value !== 'string' && !isStringList(value)) continue;
    requireNormalized(name, typeof value === 'string' ? [value] : value);
    claims.set(name, value);
  }
  // Last, so that a claim of that name cannot stand in for the checked one.
  claims.set('sub', subject);
  if (clientId === undefined) claims.delete('client_id');
  else claims.set('client_id', clientId);
  return claims;
}

function emailIsVerified(all: JsonObject): boolean {
  const verified = all['email_verified'];
  return verified === true || verified === 'true';
}

/**
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html: STS takes session tags and source
 * identity from the token itself, so two tokens that differ in them must never share credentials.
 */
function sessionClaims(all: JsonObject): string {
  const found = Object.entries(all).filter(([name]) => name.startsWith('https://aws.amazon.com/'));
  return found.length === 0 ? '' : canonicalJson(Object.fromEntries(found));
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (isJsonObject(value)) {
    const members = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item)}`);
    return `{${members.join(',')}}`;
  }
  // Two numbers that round to the same double would pass for one.
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw invalid('must have strings, not numbers, in the claims that shape an AWS session');
  }
  return JSON.stringify(value);
}
