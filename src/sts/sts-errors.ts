/**
 * What each failure of AssumeRoleWithWebIdentity means: the one place that knows STS error codes and the
 * error objects of the SDK.
 *
 * Those objects carry the raw answer in hidden properties (`$response`, `$responseBodyText`), so none of them
 * leaves this file: the cause of a BrokerError is a new error with a few checked facts in it (T33).
 *
 * Codes and statuses: AWS STS API reference, AssumeRoleWithWebIdentity; IAM user guide, "Common error types".
 */

import {
  type AnswerDefect,
  BrokerError,
  type BrokerErrorOptions,
  type ReasonOf,
} from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';
import { requestIdIn } from './answer-request-id.ts';

/**
 * - `refused`: permanent; asking again with the same input gives the same answer.
 * - `bad_response`: an answer that cannot be trusted; not asked again.
 * - `throttled`: STS limits the rate.
 * - `endpoint_down`: transient; no answer in time, or a server error of this endpoint.
 * - `keys_not_fetched`: transient; STS could not reach the token's issuer, so the endpoint itself is well.
 * - `region_disabled`: the account of the role has not activated STS in this region; another one may answer.
 */
export const stsFailureKinds = [
  'refused',
  'bad_response',
  'throttled',
  'endpoint_down',
  'keys_not_fetched',
  'region_disabled',
] as const;
export type StsFailureKind = (typeof stsFailureKinds)[number];

export interface StsFailure {
  readonly kind: StsFailureKind;
  readonly error: BrokerError;
}

/**
 * Classifies whatever the SDK threw. `lacksKey` says whether the key set of the token's issuer, as it is known
 * here, has no key for it any more.
 */
export function classifyStsError(
  thrown: unknown,
  lacksKey: () => boolean = () => false,
): StsFailure {
  const facts = readFacts(thrown);
  const verdict = verdictOf(facts);
  // The same words for keys that could not be fetched, which passes, and for a `kid` that is not among them.
  const noKey = verdict === keysNotFetched && facts.code === 'InvalidIdentityToken' && lacksKey();
  return toFailure(noKey ? keyNotPublished : verdict, facts);
}

/** For an answer that came as a success and is none; `defect` names what is wrong with it. */
export function badResponse(defect: AnswerDefect, requestId?: string): StsFailure {
  return toFailure(
    { ...badAnswer, reason: defect },
    {
      code: 'BadResponse',
      message: '',
      httpStatus: 200,
      requestId,
      answered: true,
      modelled: false,
    },
  );
}

/** For a call that was not made because no endpoint has answered lately. */
export function circuitOpen(): StsFailure {
  return toFailure(
    { ...endpointDown, reason: 'circuit_open' },
    {
      code: 'CircuitOpen',
      message: '',
      httpStatus: undefined,
      requestId: undefined,
      answered: false,
      modelled: false,
    },
  );
}

interface Facts {
  readonly code: string;
  /** Only ever matched against known texts: it may repeat the caller's input. */
  readonly message: string;
  readonly httpStatus: number | undefined;
  readonly requestId: string | undefined;
  /** Whether there was an HTTP answer. */
  readonly answered: boolean;
  /** Whether that answer was an error document with a code. */
  readonly modelled: boolean;
}

type VerdictCode =
  | 'token_expired'
  | 'sts_access_denied'
  | 'sts_token_rejected'
  | 'sts_request_rejected'
  | 'sts_bad_response'
  | 'sts_throttled'
  | 'sts_unavailable';
type VerdictOf<Code extends VerdictCode> = {
  readonly kind: StsFailureKind;
  readonly code: Code;
  readonly detail: string;
  readonly reason?: ReasonOf<Code>;
};
type Verdict = { [Code in VerdictCode]: VerdictOf<Code> }[VerdictCode];

const endpointDown: VerdictOf<'sts_unavailable'> = {
  kind: 'endpoint_down',
  code: 'sts_unavailable',
  detail: 'STS did not answer. Try again after the time in Retry-After.',
};

const throttled: VerdictOf<'sts_throttled'> = {
  kind: 'throttled',
  code: 'sts_throttled',
  detail: 'STS is limiting requests. Try again after the time in Retry-After.',
};

const keysNotFetched: VerdictOf<'sts_unavailable'> = {
  kind: 'keys_not_fetched',
  code: 'sts_unavailable',
  detail:
    'STS could not fetch the signing keys of the token issuer. Try again after the time in Retry-After.',
  reason: 'keys_not_fetched',
};

const badAnswer: VerdictOf<'sts_bad_response'> = {
  kind: 'bad_response',
  code: 'sts_bad_response',
  detail:
    'The answer was discarded. If this lasts, check what stands between the broker and STS, and that the mapping spells the role ARN exactly as IAM does.',
};

const requestRejected: VerdictOf<'sts_request_rejected'> = {
  kind: 'refused',
  code: 'sts_request_rejected',
  detail: 'Check the session settings of the role mapping: duration, name, policy and policy ARNs.',
};

const tokenRejected: VerdictOf<'sts_token_rejected'> = {
  kind: 'refused',
  code: 'sts_token_rejected',
  detail: 'Get a new token and try again.',
};

const keyNotPublished: VerdictOf<'sts_token_rejected'> = {
  ...tokenRejected,
  detail: 'Get a new token: the issuer no longer publishes the key that this one is signed with.',
  reason: 'key_not_published',
};

const accessDenied: VerdictOf<'sts_access_denied'> = {
  kind: 'refused',
  code: 'sts_access_denied',
  detail:
    'Check that the role exists and that its trust policy allows sts:AssumeRoleWithWebIdentity for the issuer, audience and subject of the token. A token with session tags also needs sts:TagSession, one with a source identity sts:SetSourceIdentity.',
};

/** By wire code without the suffix "Exception", which the SDK adds to some names and AWS to some codes. */
const byCode: ReadonlyMap<string, Verdict> = new Map<string, Verdict>([
  [
    'ExpiredToken',
    { kind: 'refused', code: 'token_expired', detail: 'Get a new token and try again.' },
  ],
  ['InvalidIdentityToken', tokenRejected],
  ['IDPRejectedClaim', tokenRejected],
  ['IDPCommunicationError', keysNotFetched],
  ['AccessDenied', accessDenied],
  [
    'MalformedPolicyDocument',
    {
      ...requestRejected,
      detail: 'STS cannot read the session policy of the role mapping: correct session.policy.',
      reason: 'policy_malformed',
    },
  ],
  [
    'PackedPolicyTooLarge',
    {
      ...requestRejected,
      detail:
        'The session policy, policy ARNs and session tags together are too large for STS: shorten session.policy of the role mapping.',
      reason: 'policy_too_large',
    },
  ],
  ['ValidationError', requestRejected],
  [
    'RegionDisabled',
    {
      kind: 'region_disabled',
      code: 'sts_unavailable',
      detail:
        'The account of the role has STS switched off in this region: activate it in the IAM account settings, or configure another region.',
      reason: 'region_disabled',
    },
  ],
  ['RequestTimeout', endpointDown],
  ...[
    'Throttling',
    'Throttled',
    'RequestThrottled',
    'TooManyRequests',
    'RequestLimitExceeded',
    'LimitExceeded',
    'BandwidthLimitExceeded',
    'SlowDown',
  ].map((code) => [code, throttled] as const),
]);

/** STS uses one code for many causes; only its message tells them apart. */
const byMessage: readonly {
  readonly code: string;
  readonly pattern: RegExp;
  readonly verdict: Verdict;
}[] = [
  {
    code: 'InvalidIdentityToken',
    pattern: /couldn't retrieve verification key/i,
    verdict: keysNotFetched,
  },
  {
    code: 'InvalidIdentityToken',
    pattern: /missing a required claim: aud/i,
    verdict: {
      ...tokenRejected,
      detail:
        'The token has no "aud" claim. Add a pre token generation trigger (event version V3_0) to the user pool that sets "aud" to the app client id. docs/aws-setup.md has one.',
      reason: 'audience_missing',
    },
  },
  {
    code: 'InvalidIdentityToken',
    // What AWS says in 2026, and what it said before.
    pattern: /web identity token provided could not be validated|incorrect token audience/i,
    verdict: {
      ...tokenRejected,
      detail:
        'The IAM OIDC provider in the account of the role does not list the audience of the token ("azp" if it has one, else "aud"): add it to its client ids.',
      reason: 'audience_not_registered',
    },
  },
  {
    code: 'InvalidIdentityToken',
    pattern: /no openidconnect provider found/i,
    verdict: {
      ...tokenRejected,
      detail:
        'The account of the role has no IAM OIDC provider for the issuer of the token: create one whose URL equals the "iss" claim exactly, without a trailing slash.',
      reason: 'provider_not_registered',
    },
  },
  {
    code: 'ValidationError',
    pattern: /durationseconds exceeds the maxsessionduration/i,
    verdict: {
      ...requestRejected,
      detail:
        'The duration exceeds the MaxSessionDuration of the role: ask for less, lower session.durationSeconds of the role mapping, or raise MaxSessionDuration of the role.',
      reason: 'duration_above_role_maximum',
    },
  },
];

function verdictOf(facts: Facts): Verdict {
  if (facts.modelled) {
    const known = byMessage.find(
      ({ code, pattern }) => code === facts.code && pattern.test(facts.message),
    );
    const verdict = known?.verdict ?? byCode.get(facts.code);
    if (verdict !== undefined) return verdict;
  }
  if (!facts.answered) return endpointDown;
  if (facts.httpStatus === 429) return throttled;
  if (facts.httpStatus !== undefined && facts.httpStatus >= 500) return endpointDown;
  return facts.modelled ? requestRejected : { ...badAnswer, reason: 'not_an_sts_document' };
}

/** What the SDK names an error answer without a code of its own. */
const codeless: ReadonlySet<string> = new Set(['Unknown', 'UnknownError', 'NotFound']);

function readFacts(thrown: unknown): Facts {
  const error = membersOf(thrown);
  const metadata = membersOf(error['$metadata']);
  const code = (
    bounded(error['Code'], codePattern) ??
    bounded(error['code'], codePattern) ??
    bounded(error['name'], codePattern) ??
    'Unrecognised'
  ).replace(/Exception$/, '');
  const httpStatus =
    typeof metadata['httpStatusCode'] === 'number' ? metadata['httpStatusCode'] : undefined;
  return {
    code,
    message: typeof error['message'] === 'string' ? error['message'] : '',
    httpStatus,
    requestId: requestIdIn(metadata['requestId']),
    answered: httpStatus !== undefined && !isConnectionFailure(error),
    modelled: error['$fault'] !== undefined && !codeless.has(code),
  };
}

/** A connection may also end in the middle of an answer whose status the SDK has already noted. */
function isConnectionFailure(error: Readonly<Record<string, unknown>>): boolean {
  if (error['name'] === 'AbortError' || error['name'] === 'TimeoutError') return true;
  return bounded(error['code'], /^(?:E[A-Z_]+|ERR_STREAM_[A-Z_]+)$/) !== undefined;
}

function toFailure(verdict: Verdict, facts: Facts): StsFailure {
  const cause = Object.assign(
    new Error(`AssumeRoleWithWebIdentity failed: ${verdict.reason ?? facts.code}`),
    {
      name: 'StsError',
      code: facts.code,
      ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
      ...(facts.httpStatus === undefined ? {} : { httpStatus: facts.httpStatus }),
      ...(facts.requestId === undefined ? {} : { requestId: facts.requestId }),
    },
  );
  const { kind, code, detail, reason } = verdict;
  // Of which code which reason may be is a matter of the table above.
  const options = { detail, cause, reason } as BrokerErrorOptions<VerdictCode>;
  return { kind, error: new BrokerError(code, options) };
}

/** Letters only: nothing that could be a key or a token passes for a code. */
const codePattern = /^[A-Za-z][A-Za-z_]{0,63}$/;

/** The text if it has the expected shape: everything in an answer is untrusted. */
function bounded(value: unknown, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

function membersOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}
