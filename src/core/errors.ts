/**
 * The one error that reaches callers, and the closed set of its codes.
 *
 * A code is part of the public contract: it is documented in docs/errors.md, is never reused for another
 * meaning, and carries its HTTP status here, beside it.
 */

export const errorCodes = {
  // The request itself.
  request_malformed: { status: 400, title: 'The request is not well-formed HTTP for this service' },
  query_invalid: { status: 400, title: 'The query string is not accepted' },
  body_malformed: { status: 400, title: 'The body is not well-formed' },
  body_invalid: { status: 400, title: 'The body does not have the expected shape' },
  origin_refused: { status: 403, title: 'Browsers may not call this service' },
  route_not_found: { status: 404, title: 'There is nothing at this path' },
  method_not_allowed: { status: 405, title: 'This path does not answer that method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  body_too_large: { status: 413, title: 'The body is too large' },
  uri_too_long: { status: 414, title: 'The request target is too long' },
  media_type_unsupported: {
    status: 415,
    title: 'The body is compressed, or not of the media type that this path takes',
  },
  host_unknown: { status: 421, title: 'This service does not answer for that host' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },

  // The bearer token (RFC 6750).
  token_missing: { status: 401, title: 'A bearer token is required' },
  token_too_large: { status: 401, title: 'The bearer token is too large' },
  token_malformed: {
    status: 401,
    title: 'The bearer token is not a JWT that this service accepts',
  },
  token_issuer_unknown: {
    status: 401,
    title: 'The token comes from an issuer that is not trusted here',
  },
  token_key_unknown: {
    status: 401,
    title: 'The token is signed with a key that its issuer does not publish',
  },
  token_signature_invalid: { status: 401, title: 'The signature of the token is not valid' },
  token_claims_invalid: { status: 401, title: 'The claims of the token are not acceptable' },
  token_expired: { status: 401, title: 'The token has expired' },
  token_not_yet_valid: { status: 401, title: 'The token is not valid yet' },
  token_use_refused: { status: 401, title: 'This kind of token is not accepted here' },
  token_revoked: { status: 401, title: 'The token is denied here' },
  token_client_refused: { status: 401, title: 'The app client of the token is not trusted here' },
  sign_in_insufficient: {
    status: 401,
    title: 'The sign-in behind the token is too old or too weak',
  },
  token_audience_missing: {
    status: 422,
    title: 'The token has no audience, so STS cannot accept it',
  },

  // The STS query protocol.
  action_unknown: { status: 400, title: 'This service does not offer that operation of STS' },
  access_key_unknown: {
    status: 403,
    title: 'This service does not hold a session with these keys',
  },
  signature_invalid: { status: 403, title: 'The signature of the request is not acceptable' },

  // The decision.
  access_denied: { status: 403, title: 'No role mapping allows this' },
  scope_insufficient: { status: 403, title: 'The token lacks the scope that this operation needs' },
  role_ambiguous: { status: 400, title: 'More than one role is allowed: name the one you want' },
  duration_not_allowed: { status: 400, title: 'The requested duration is not allowed' },
  token_role_not_listed: {
    status: 403,
    title: 'The token is bound to other roles, so STS cannot accept it for this one',
  },
  session_policy_not_allowed: {
    status: 403,
    title: 'The role mapping takes no session policy from callers',
  },
  session_policy_invalid: { status: 400, title: 'The session policy of the request cannot work' },

  // Role mappings.
  mapping_not_found: { status: 404, title: 'There is no role mapping with this id' },
  mapping_invalid: { status: 422, title: 'The role mapping cannot work' },
  mapping_is_freeze: { status: 409, title: 'A freeze is lifted, and not deleted' },
  mapping_managed_by_git: { status: 409, title: 'The role mapping is managed from Git' },
  change_reason_required: { status: 400, title: 'The change needs a reason' },
  precondition_required: {
    status: 428,
    title: 'The change needs an If-Match or If-None-Match header',
  },
  precondition_failed: { status: 412, title: 'The role mapping has changed since it was read' },

  // What the broker depends on.
  sts_access_denied: {
    status: 403,
    title: 'STS refused: the trust policy of the role does not allow it',
  },
  sts_token_rejected: { status: 401, title: 'STS refused the token' },
  sts_request_rejected: {
    status: 502,
    title: 'STS refused the session that the role mapping asks for',
  },
  sts_bad_response: { status: 502, title: 'STS gave an answer that cannot be trusted' },
  sts_throttled: {
    status: 503,
    title: 'STS is limiting the rate of requests',
    retryAfterSeconds: 2,
  },
  sts_unavailable: { status: 503, title: 'STS cannot be reached', retryAfterSeconds: 2 },
  keys_unavailable: {
    status: 503,
    title: 'The keys of the issuer cannot be fetched',
    retryAfterSeconds: 5,
  },
  policy_unavailable: {
    status: 503,
    title: 'The role mappings are not loaded',
    retryAfterSeconds: 5,
  },
  policy_stale: {
    status: 503,
    title: 'The role mappings are too old to rely on',
    retryAfterSeconds: 30,
  },
  policy_changed: {
    status: 503,
    title: 'The role mappings changed while the session was made',
    retryAfterSeconds: 1,
  },
  table_unavailable: {
    status: 503,
    title: 'The role-mapping table cannot be reached',
    retryAfterSeconds: 5,
  },
  change_not_sealed: {
    status: 503,
    title: 'The change of the role mappings cannot be sealed',
    retryAfterSeconds: 5,
  },
  audit_unavailable: {
    status: 503,
    title: 'The audit log does not accept records',
    retryAfterSeconds: 5,
  },
  rate_limited: { status: 429, title: 'Too many requests' },
  overloaded: { status: 503, title: 'The service is at its limit', retryAfterSeconds: 1 },
  internal_error: { status: 500, title: 'Something went wrong in this service' },
} as const satisfies Record<string, ErrorSpec>;

interface ErrorSpec {
  readonly status: number;
  readonly title: string;
  readonly retryAfterSeconds?: number;
}

export type BrokerErrorCode = keyof typeof errorCodes;

/** One fault inside a document; `pointer` is a JSON Pointer (RFC 6901) into it. */
export interface Fault {
  readonly pointer: string;
  readonly detail: string;
}

export interface BrokerErrorOptions {
  /** Safe for the caller: says what to do next and never repeats the caller's input. */
  readonly detail?: string;
  /** Goes to the log only. */
  readonly cause?: unknown;
  /** Every fault found in the caller's document. */
  readonly faults?: readonly Fault[];
  /** Role mappings among which the caller must choose (role_ambiguous). */
  readonly choices?: readonly RoleChoice[];
  /** What the audit record says beyond the code, from a closed set. */
  readonly reason?: string;
  /** Instead of that of the code: whole seconds, at least 1. */
  readonly retryAfterSeconds?: number;
  /** The limit that was reached (rate_limited). */
  readonly rateLimit?: RateLimit;
  /** Scope that would have sufficed (RFC 6750 section 3). */
  readonly scope?: string;
  /** How long ago somebody may have signed in (RFC 9470 section 3). */
  readonly maxAgeSeconds?: number | undefined;
  /** Methods that the path does answer (method_not_allowed). */
  readonly allow?: readonly string[];
}

export interface RateLimit {
  /** Its name, from a closed set. */
  readonly policy: string;
  /** Requests that may be made at once, and that are allowed anew in each window. */
  readonly quota: number;
  readonly windowSeconds: number;
}

export interface RoleChoice {
  readonly mapping: string;
  readonly role: string;
}

export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  readonly code: BrokerErrorCode;
  readonly status: number;
  readonly detail: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly faults: readonly Fault[] | undefined;
  readonly choices: readonly RoleChoice[] | undefined;
  readonly reason: string | undefined;
  readonly rateLimit: RateLimit | undefined;
  readonly scope: string | undefined;
  readonly maxAgeSeconds: number | undefined;
  readonly allow: readonly string[] | undefined;

  constructor(code: BrokerErrorCode, options: BrokerErrorOptions = {}) {
    const spec: ErrorSpec = errorCodes[code];
    super(
      options.detail ?? spec.title,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.status = spec.status;
    this.detail = options.detail;
    this.retryAfterSeconds = options.retryAfterSeconds ?? spec.retryAfterSeconds;
    this.faults = options.faults;
    this.choices = options.choices;
    this.reason = options.reason;
    this.rateLimit = options.rateLimit;
    this.scope = options.scope;
    this.maxAgeSeconds = options.maxAgeSeconds;
    this.allow = options.allow;
  }
}
