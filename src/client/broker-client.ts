/** `POST /v1/credentials` from the caller's side: one try, bounded in time and size, nothing taken on trust. */

import { roleArnPattern, sessionKeyPatterns } from '../core/aws-names.ts';
import { isJsonObject, type JsonObject } from '../kit/json/json-object.ts';
import { boundedFetch, NoAnswerError } from '../kit/net/bounded-fetch.ts';
import { hasUserInformation, isSecureUrl } from '../kit/net/secure-url.ts';
import { urlBelow } from '../kit/net/url-below.ts';
import { type Clock, isRfc3339, systemClock } from '../kit/timing/clock.ts';

export interface CredentialsRequest {
  /** Of the broker's api listener. https, or http to this machine. */
  readonly url: string;
  /** Id of a role mapping or ARN of a role; default: the one role that the caller is allowed. */
  readonly role?: string | undefined;
  readonly durationSeconds?: number | undefined;
  /** JWT of the caller. */
  readonly token: string;
  readonly signal?: AbortSignal | undefined;
  /** From the connection to the last byte; default 5,000. */
  readonly timeoutMs?: number | undefined;
  readonly clock?: Clock;
}

export interface BrokerCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
  readonly accountId: string;
  readonly roleArn: string;
}

/**
 * Asks a broker for session credentials. Connections are kept and shared; NODE_EXTRA_CA_CERTS is honoured.
 *
 * @throws TokenBrokerError, or the reason of `signal` once that is aborted.
 */
export async function requestCredentials(request: CredentialsRequest): Promise<BrokerCredentials> {
  const { role, durationSeconds, token, signal, clock = systemClock } = request;
  const { timeoutMs = defaultTimeoutMs } = request;
  const url = credentialsUrl(request.url);
  if (!tokenPattern.test(token)) {
    throw new TokenBrokerError('token_unusable', 'The token is not one JWT and nothing else.');
  }
  let answer: BrokerAnswer;
  try {
    const { status, headers, body } = await boundedFetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, application/problem+json',
      },
      // Members that are undefined are not sent.
      body: JSON.stringify({ role, durationSeconds }),
      clock,
      timeoutMs,
      maxBytes: maxAnswerBytes,
      givenUp: signal,
    });
    answer = { status, headers, document: parseJson(body) };
  } catch (error) {
    if (error instanceof NoAnswerError) throw transportError(error, url.origin);
    throw error;
  }
  if (answer.status !== 200) throw problemError(answer, token);
  return plausible(credentialsOf(answer), role, clock.now());
}

export interface TokenBrokerErrorOptions {
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly retryable?: boolean;
}

/**
 * Why there are no credentials. `code` is the broker's (docs/errors.md) or, where no broker said anything,
 * `broker_url_invalid`, `token_unusable`, `broker_unreachable`, `broker_timeout` or `broker_answer_invalid`.
 * The message says what to do, names the request, and holds neither token nor key.
 */
export class TokenBrokerError extends Error {
  override readonly name = 'TokenBrokerError';
  readonly code: string;
  /** Of the answer, if there was one. */
  readonly status: number | undefined;
  /** Under which the broker's audit log knows the request. */
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** The same request may succeed later. */
  readonly retryable: boolean;

  constructor(code: string, detail: string, options: TokenBrokerErrorOptions = {}) {
    const { status, requestId, retryAfterSeconds, retryable = false } = options;
    super(requestId === undefined ? detail : `${detail} (request ${requestId})`);
    this.code = code;
    this.status = status;
    this.requestId = requestId;
    this.retryAfterSeconds = retryAfterSeconds;
    this.retryable = retryable;
  }

  /** The broker itself decided that this caller may not have this role: credentials from before are void as well. */
  get denied(): boolean {
    return this.status === 403 && this.code !== 'broker_answer_invalid';
  }
}

/** @throws TokenBrokerError `broker_url_invalid` */
export function credentialsUrl(text: string): URL {
  const base = URL.canParse(text) ? new URL(text) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol) || !isPlain(base)) {
    throw new TokenBrokerError(
      'broker_url_invalid',
      'The URL of the broker must be http or https, without user information, query and fragment.',
    );
  }
  if (!isSecureUrl(base)) {
    throw new TokenBrokerError(
      'broker_url_invalid',
      'The URL of the broker must be https: tokens are not sent in the clear beyond this machine.',
    );
  }
  return urlBelow(base, '/v1/credentials');
}

const defaultTimeoutMs = 5_000;
const maxAnswerBytes = 64 * 1024;

/** The characters of RFC 6750 section 2.1: anything else fetch would refuse with a message that repeats it. */
const tokenPattern = /^[A-Za-z0-9._~+/=-]{1,16384}$/;

function isPlain(url: URL): boolean {
  return !hasUserInformation(url) && url.search === '' && url.hash === '';
}

interface BrokerAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined unless it is JSON. */
  readonly document: unknown;
}

function parseJson(bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

function transportError({ reason, message }: NoAnswerError, origin: string): TokenBrokerError {
  return reason === 'timeout'
    ? new TokenBrokerError('broker_timeout', `${origin} gives ${message}.`, { retryable: true })
    : new TokenBrokerError('broker_unreachable', `${origin} does not answer (${message}).`, {
        retryable: true,
      });
}

function problemError(
  { status, headers, document }: BrokerAnswer,
  token: string,
): TokenBrokerError {
  const retryable = status === 408 || status === 429 || status >= 500;
  const seconds = /^\d{1,4}$/.exec(headers.get('retry-after') ?? '')?.[0];
  const retryAfterSeconds = seconds === undefined ? undefined : Number(seconds);
  const problem = problemOf(document);
  if (problem === undefined) {
    const detail = `The answer is ${status}, and not as a broker would say it: check the URL and what is in between.`;
    return new TokenBrokerError('broker_answer_invalid', detail, {
      status,
      retryAfterSeconds,
      retryable,
    });
  }
  return new TokenBrokerError(problem.code, oneLine(problem.detail, token), {
    status,
    requestId: problem.requestId,
    retryAfterSeconds,
    retryable,
  });
}

interface Problem {
  readonly code: string;
  /** With the names of the choices, if there are any. */
  readonly detail: string;
  readonly requestId: string;
}

/** Undefined unless the document is one of the broker's: docs/errors.md, "The shape". */
function problemOf(document: unknown): Problem | undefined {
  if (!isJsonObject(document)) return undefined;
  const { code, title, detail = `${title}.`, request_id: requestId, choices = [] } = document;
  if (!matches(code, codePattern) || typeof title !== 'string' || typeof detail !== 'string') {
    return undefined;
  }
  if (!matches(requestId, requestIdPattern) || !isChoices(choices)) return undefined;
  const names = choices.map(({ mapping }) => mapping).join(', ');
  return { code, detail: names === '' ? detail : `${detail} Choices: ${names}.`, requestId };
}

const codePattern = /^[a-z][a-z_]{0,63}$/;
const requestIdPattern = /^[A-Za-z0-9_-]{1,128}$/;

function matches(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function isChoices(value: unknown): value is readonly { readonly mapping: string }[] {
  return (
    Array.isArray(value) &&
    value.every((choice) => isJsonObject(choice) && typeof choice['mapping'] === 'string')
  );
}

/** Fit for a terminal and for a log, whoever wrote it. */
function oneLine(text: string, token: string): string {
  return text
    .replaceAll(token, '[token]')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, 1000);
}

function credentialsOf({ status, headers, document }: BrokerAnswer): BrokerCredentials {
  const defect = answerDefect(document);
  if (defect !== undefined) {
    const id = headers.get('x-request-id');
    throw new TokenBrokerError('broker_answer_invalid', `The broker's answer has ${defect}.`, {
      status,
      requestId: matches(id, requestIdPattern) ? id : undefined,
      retryable: true,
    });
  }
  const { credentials, role } = document as CredentialsAnswer;
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  const accountId = roleArnPattern.exec(role)?.[2] as string;
  return {
    ...{ accessKeyId, secretAccessKey, sessionToken },
    ...{ expiration: new Date(expiration), accountId, roleArn: role },
  };
}

interface CredentialsAnswer {
  readonly credentials: Readonly<Record<keyof typeof sessionKeyPatterns | 'expiration', string>>;
  readonly role: string;
}

/** Which member it is, never what it holds. Undefined if the document is a CredentialsAnswer. */
function answerDefect(document: unknown): string | undefined {
  if (!isJsonObject(document)) return 'no object';
  const { credentials, role } = document;
  if (!isJsonObject(credentials)) return 'no acceptable credentials';
  const member = unacceptableKey(credentials);
  if (member !== undefined) return `no acceptable credentials.${member}`;
  return matches(role, roleArnPattern) && role.length <= 2048 ? undefined : 'no acceptable role';
}

function unacceptableKey(credentials: JsonObject): string | undefined {
  for (const [name, pattern] of Object.entries(sessionKeyPatterns)) {
    if (!matches(credentials[name], pattern)) return name;
  }
  const { expiration } = credentials;
  return typeof expiration === 'string' && isRfc3339(expiration) ? undefined : 'expiration';
}

/** STS: no session lasts longer, and the clocks of two machines differ a little. */
export const longestSessionMs = 12 * 60 * 60_000 + 5 * 60_000;

function plausible(
  credentials: BrokerCredentials,
  role: string | undefined,
  now: number,
): BrokerCredentials {
  if (role?.startsWith('arn:') && credentials.roleArn !== role) {
    throw invalid('The broker answered with credentials of another role than was asked for.');
  }
  const remainingMs = credentials.expiration.getTime() - now;
  if (!(remainingMs > 0 && remainingMs <= longestSessionMs)) {
    throw invalid(
      'The broker answered with credentials whose expiration cannot be: compare the clocks of both machines.',
    );
  }
  return credentials;
}

function invalid(detail: string): TokenBrokerError {
  return new TokenBrokerError('broker_answer_invalid', detail, { status: 200, retryable: true });
}
