import { hash } from 'node:crypto';
import type { Caller, DescribingClaim } from '../core/caller.ts';
import { type ClaimValue, claimValue, comparableItems } from '../core/claim-value.ts';
import { boundedMap } from '../kit/calls/bounded-map.ts';
import { isJsonObject, isStringList, type JsonObject } from '../kit/json/json-object.ts';
import { CallerClaims } from './caller-claims.ts';
import { describedBy } from './describing-claims.ts';
import { isProven } from './proven-claim.ts';
import type { TokenIdentity, TrustedIssuer } from './providers/provider.ts';
import { type CheckedClaims, invalid, requireNormalized } from './token-claims.ts';

export interface CallerOptions {
  readonly issuer: TrustedIssuer;
  readonly identity: TokenIdentity;
  readonly tokenSha256: string;
  /** Names of the claims, beyond `sub` and `client_id`, that mappings may match. */
  readonly matchableClaims: ReadonlySet<string>;
  /** Those that records are to have. */
  readonly describe: ReadonlySet<DescribingClaim>;
}

/**
 * Only for claims whose signature has been verified.
 *
 * @throws BrokerError `token_claims_invalid`.
 */
export function callerFromClaims(checked: CheckedClaims, options: CallerOptions): Caller {
  const { all, subject } = checked;
  const { issuer, identity } = options;
  const { scope, azp, aud, jti, origin_jti: origin } = all;
  // What is the same text is kept once.
  const clientId = identity.clientId === subject ? subject : identity.clientId;
  const audience = [azp, aud].find((value) => typeof value === 'string');
  return {
    issuer: issuer.issuer,
    pool: issuer.name,
    subject,
    clientId,
    tokenUse: identity.tokenUse,
    machine: identity.machine,
    groups: orNone(identity.groups),
    scopes: scopesIn(typeof scope === 'string' ? scope : ''),
    audience: [subject, clientId].find((text) => text === audience) ?? audience,
    claims: new CallerClaims(subject, clientId, matchable(checked, options)),
    description: describedBy(all, identity.groups, options.describe),
    sessionClaims: sessionClaims(all),
    boundRoles: boundRoles(all['https://aws.amazon.com/roles']),
    tokenId: typeof jti === 'string' ? jti : undefined,
    originTokenId: typeof origin === 'string' ? origin : undefined,
    tokenSha256: options.tokenSha256,
    issuedAt: checked.issuedAt,
    signedInAt: checked.signedInAt,
    amr: orNone(identity.amr),
    expiresAt: checked.expiresAt,
  };
}

const none: readonly string[] = Object.freeze([]);

function orNone(list: readonly string[]): readonly string[] {
  return list.length === 0 ? none : list;
}

/** By their claim: most callers have the same few. */
const knownScopes = boundedMap<ReadonlySet<string>>(256);

function scopesIn(claim: string): ReadonlySet<string> {
  let scopes = knownScopes.get(claim);
  if (scopes === undefined) {
    scopes = new Set(claim.split(' ').filter(Boolean));
    knownScopes.set(claim, scopes);
  }
  return scopes;
}

function matchable(
  { all }: CheckedClaims,
  { matchableClaims }: CallerOptions,
): ReadonlyMap<string, ClaimValue> {
  const claims = new Map<string, ClaimValue>();
  for (const name of matchableClaims) {
    if (!Object.hasOwn(all, name)) continue;
    const value = isProven(name, all) ? claimValue(all[name]) : { incomparable: all[name] };
    requireNormalized(name, (comparableItems(value) ?? []).filter(isText));
    claims.set(name, value);
  }
  return claims;
}

function isText(item: unknown): item is string {
  return typeof item === 'string';
}

/** As STS reads it: a text or a list; what is in neither form binds the token to no role at all. */
function boundRoles(claim: unknown): readonly string[] | undefined {
  if (claim === undefined || claim === null) return undefined;
  if (typeof claim === 'string') return claim.split(';');
  return Array.isArray(claim) ? claim.filter((role) => typeof role === 'string') : [];
}

/**
 * Digest over every claim by which AWS may tell two tokens of one caller apart. Trust policies test `aud`, `azp`,
 * `amr` and `email` (IAM user guide, "Available keys for AWS web identity federation"); tags, source identity and
 * roles are taken from the token itself; and an OIDC provider can be set up to hand any claim on to the session
 * (its ContextProvider). What an account looks at is not known here, so what is left out is a closed list, and
 * not what is put in (T65).
 */
function sessionClaims(all: JsonObject): string {
  const lasting = Object.entries(all).filter(([name]) => !perToken.has(name));
  for (const [name, value] of lasting) {
    if (name.startsWith('https://aws.amazon.com/')) requireNoNumber(value);
  }
  const sets = lasting.map(([name, value]) => [name, isStringList(value) ? asSet(value) : value]);
  return hash('sha256', canonicalJson(Object.fromEntries(sets)), 'hex');
}

/** Differ from one token to the next of the same caller, and say nothing else about it. */
const perToken: ReadonlySet<string> = new Set([
  ...['exp', 'iat', 'nbf', 'jti', 'auth_time', 'origin_jti', 'event_id', 'nonce', 'at_hash'],
]);

/** IAM compares a list of texts (`amr`, groups) as a set. */
function asSet(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort((a, b) => (a < b ? -1 : 1));
}

/** One number has many texts, and which of them STS makes a tag of, nobody says. */
function requireNoNumber(value: unknown): void {
  if (typeof value === 'number') {
    throw invalid('must have strings, not numbers, in the claims that shape an AWS session');
  }
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(requireNoNumber);
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (isJsonObject(value)) {
    const members = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => `${JSON.stringify(name)}:${canonicalJson(item)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}
