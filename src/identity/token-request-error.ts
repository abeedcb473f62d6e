import type { JsonObject } from '../kit/json/json-object.ts';

/** What went wrong, what to do about it, and whether the same request may succeed later. */
const failures = {
  client_rejected: {
    detail: 'The token endpoint does not know this app client with this secret: check both.',
    retryable: false,
  },
  grant_rejected: {
    detail:
      'The token endpoint refuses the grant: the app client needs the client_credentials grant and the scopes asked for.',
    retryable: false,
  },
  token_throttled: {
    detail: 'The token endpoint limits the rate of requests: try again later, and share tokens.',
    retryable: true,
  },
  token_endpoint_unavailable: {
    detail: 'The token endpoint cannot be reached, redirects, or gives no whole answer in time.',
    retryable: true,
  },
  token_answer_invalid: {
    detail:
      'The answer is not one of a token endpoint: check that the URL ends with /oauth2/token and that nothing in between answers.',
    retryable: true,
  },
  client_secret_unavailable: {
    detail: 'The function that provides the client secret failed, or took too long.',
    retryable: true,
  },
} as const;

export type TokenRequestErrorCode = keyof typeof failures;

export interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  readonly problem: JsonObject | undefined;
}

/** Why there is no token. Holds neither the secret nor anything of the answer but its status and request id. */
export class TokenRequestError extends Error {
  override readonly name = 'TokenRequestError';
  readonly code: TokenRequestErrorCode;
  /** Of the answer, if there was one that says something. */
  readonly status: number | undefined;
  readonly retryable: boolean;

  constructor(
    code: TokenRequestErrorCode,
    {
      status,
      requestId,
    }: { readonly status?: number; readonly requestId?: string | undefined } = {},
  ) {
    const { detail, retryable } = failures[code];
    super(requestId === undefined ? detail : `${detail} (request ${requestId})`);
    this.code = code;
    this.status = status;
    this.retryable = retryable;
  }

  /** For an answer that is no success (RFC 6749 section 5.2). */
  static refusal({ status, headers, problem }: Refusal): TokenRequestError {
    const requestId = /^[\w-]{1,128}$/.exec(headers.get('x-amz-cognito-request-id') ?? '')?.[0];
    return new TokenRequestError(codeOf(status, problem?.['error']), { status, requestId });
  }
}

function codeOf(status: number, error: unknown): TokenRequestErrorCode {
  // Cognito does not document how it throttles here; its other APIs say it with 400 and such a name.
  const throttled = typeof error === 'string' && error.startsWith('TooManyRequests');
  if (status === 429 || throttled) return 'token_throttled';
  if (status >= 500 || status === 408) return 'token_endpoint_unavailable';
  if (error === 'invalid_client') return 'client_rejected';
  return typeof error === 'string' && grantErrors.has(error)
    ? 'grant_rejected'
    : 'token_answer_invalid';
}

const grantErrors: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_grant',
  'invalid_scope',
  'unauthorized_client',
  'unsupported_grant_type',
]);
