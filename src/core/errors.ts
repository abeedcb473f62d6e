/**
 * The one error that reaches callers, and the closed set of its codes.
 *
 * A code is part of the public contract: it is documented in docs/errors.md, is never reused for another
 * meaning, and carries its HTTP status here, beside it.
 */

import type { Fault } from './fault.ts';
import type { DenyReason } from './policy/deny-reasons.ts';

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

  // Approval.
  approval_required: { status: 403, title: 'The change needs a second administrator' },
  proposal_not_found: { status: 404, title: 'There is no proposal with this id' },
  proposal_not_open: { status: 409, title: 'The proposal waits for nobody any more' },
  proposal_differs: { status: 409, title: 'The proposal is not the one that was read' },
  proposal_author_removed: {
    status: 409,
    title: 'Whoever proposed this is no administrator any more',
  },
  proposals_too_many: { status: 409, title: 'Too many proposals were made' },
  approver_refused: { status: 403, title: 'This administrator may not decide on the proposal' },

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
  web_identity_unavailable: {
    status: 503,
    title: 'The token that STS is shown cannot be signed',
    retryAfterSeconds: 2,
  },
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

/**
 * What a code has beyond a detail and a cause: its reasons, which tell causes apart on record and not to the caller, and
 * what an answer with it carries. What is not listed under a code cannot be given with it.
 */
interface Particulars {
  readonly query_invalid: { readonly faults?: readonly Fault[] | undefined };
  readonly body_invalid: { readonly faults?: readonly Fault[] | undefined };
  /** Methods that the path does answer. */
  readonly method_not_allowed: { readonly allow: readonly string[] };
  /** How long ago somebody may have signed in (RFC 9470 section 3); undefined: it was not that. */
  readonly sign_in_insufficient: { readonly maxAgeSeconds: number | undefined };
  readonly signature_invalid: {
    readonly reason?: 'signature_absent' | 'signature_incomplete' | 'session_ended' | undefined;
  };
  /** None: the refusal does not come of the policy. */
  readonly access_denied: { readonly reason?: DenyReason | undefined };
  /** Scope that would have sufficed (RFC 6750 section 3). */
  readonly scope_insufficient: { readonly scope: string };
  /** Role mappings among which the caller must choose. */
  readonly role_ambiguous: { readonly choices: readonly RoleChoice[] };
  readonly session_policy_invalid: {
    readonly faults?: readonly Fault[];
    readonly reason?: 'policy_malformed' | 'policy_too_large';
  };
  readonly mapping_invalid: { readonly faults: readonly Fault[] };
  readonly sts_token_rejected: {
    readonly reason?:
      | 'audience_missing'
      | 'audience_not_registered'
      | 'provider_not_registered'
      | 'key_not_published'
      | undefined;
  };
  readonly sts_request_rejected: {
    readonly reason?:
      | 'policy_malformed'
      | 'policy_too_large'
      | 'duration_above_role_maximum'
      | BrokersTokenRefused
      | undefined;
  };
  readonly web_identity_unavailable: { readonly reason: SigningFailure };
  readonly sts_bad_response: { readonly reason: AnswerDefect };
  /** The limit is the broker's own, where there is a reason: it says when there is room again. */
  readonly sts_throttled: {
    readonly reason?: 'account_limit' | 'account_limit_of_caller' | undefined;
    readonly retryAfterSeconds?: number;
  };
  readonly sts_unavailable: {
    readonly reason?: 'keys_not_fetched' | 'region_disabled' | 'circuit_open' | undefined;
  };
  readonly table_unavailable: { readonly reason?: 'incomplete_read' | 'outcome_unknown' };
  readonly rate_limited: {
    readonly reason: RateLimit['policy'];
    readonly rateLimit: RateLimit;
    /** Whole seconds, at least 1. */
    readonly retryAfterSeconds: number;
  };
  readonly overloaded: { readonly reason?: 'share_of_caller' };
  readonly internal_error: {
    readonly reason?: 'cache_entry_of_another_caller' | 'web_identity_not_configured';
  };
}

/** What STS has against a token that the broker issued. */
export type BrokersTokenRefused =
  | 'broker_token_expired'
  | 'broker_token_rejected'
  | 'audience_not_registered'
  | 'provider_not_registered';

/** Why a token of the broker was not signed. */
export type SigningFailure =
  | 'signer_timeout'
  | 'signer_throttled'
  | 'key_unusable'
  | 'signature_invalid'
  | 'signer_failed'
  | 'circuit_open';

/** What is wrong with an answer of STS that came as a success. */
export type AnswerDefect =
  | 'not_an_sts_document'
  | 'access_key_id'
  | 'secret_access_key'
  | 'session_token'
  | 'assumed_role_id'
  | 'assumed_role_arn'
  | 'expiration_too_early'
  | 'expiration_too_late'
  | 'subject';

export interface RateLimit {
  /** Its name. */
  readonly policy: 'caller' | 'failed_tokens';
  /** Requests that may be made at once, and that are allowed anew in each window. */
  readonly quota: number;
  readonly windowSeconds: number;
}

export interface RoleChoice {
  readonly mapping: string;
  readonly role: string;
}

type KeysOfUnion<T> = T extends T ? keyof T : never;
type Particular = KeysOfUnion<Particulars[keyof Particulars]>;
type ParticularsOf<Code extends BrokerErrorCode> = Code extends keyof Particulars
  ? Particulars[Code]
  : object;
/** Also what a spread would smuggle in is refused. */
type Nothing<Names extends PropertyKey> = { readonly [Name in Names]?: never };

export type BrokerErrorOptions<Code extends BrokerErrorCode> = Code extends Code
  ? {
      /** Safe for the caller: says what to do next and never repeats the caller's input. */
      readonly detail?: string | undefined;
      /** Goes to the log only. */
      readonly cause?: unknown;
    } & ParticularsOf<Code> &
      Nothing<Exclude<Particular, keyof ParticularsOf<Code>>>
  : never;

type ValueOf<Name extends Particular> = {
  [Code in keyof Particulars]: Name extends keyof Particulars[Code]
    ? Particulars[Code][Name]
    : undefined;
}[keyof Particulars];

/** All reasons there are. */
export type ErrorReason = NonNullable<ValueOf<'reason'>>;
/** Those of one code. */
export type ReasonOf<Code extends BrokerErrorCode> =
  ParticularsOf<Code> extends { readonly reason?: infer Reason } ? Extract<Reason, string> : never;

type Given = { readonly [Name in Particular]?: ValueOf<Name> } & {
  readonly detail?: string | undefined;
  readonly cause?: unknown;
};

class CodedError extends Error {
  override readonly name = 'BrokerError';
  readonly code: BrokerErrorCode;
  readonly status: number;
  readonly detail: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly faults: readonly Fault[] | undefined;
  readonly choices: readonly RoleChoice[] | undefined;
  readonly reason: ErrorReason | undefined;
  readonly rateLimit: RateLimit | undefined;
  readonly scope: string | undefined;
  readonly maxAgeSeconds: number | undefined;
  readonly allow: readonly string[] | undefined;

  constructor(code: BrokerErrorCode, given: Given = {}) {
    const spec: ErrorSpec = errorCodes[code];
    const { stackTraceLimit } = Error;
    // A refusal is an answer, of which nobody reads where it was made, and to note that costs more than to decide it.
    if (spec.status < 500) Error.stackTraceLimit = 0;
    super(
      given.detail ?? spec.title,
      given.cause === undefined ? undefined : { cause: given.cause },
    );
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.status = spec.status;
    this.detail = given.detail;
    this.retryAfterSeconds = given.retryAfterSeconds ?? spec.retryAfterSeconds;
    this.faults = given.faults;
    this.choices = given.choices;
    this.reason = given.reason;
    this.rateLimit = given.rateLimit;
    this.scope = given.scope;
    this.maxAgeSeconds = given.maxAgeSeconds;
    this.allow = given.allow;
  }
}

export type BrokerError = CodedError;

/** A code decides what may be given with it, and what must be. */
export const BrokerError = CodedError as {
  new <Code extends BrokerErrorCode>(
    code: Code,
    ...given: object extends BrokerErrorOptions<Code>
      ? [given?: BrokerErrorOptions<Code>]
      : [given: BrokerErrorOptions<Code>]
  ): BrokerError;
  readonly prototype: BrokerError;
};
