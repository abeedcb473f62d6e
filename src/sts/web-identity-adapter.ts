import { AssumeRoleWithWebIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import type { IssuedSession, IssueResult } from '../core/credentials.ts';
import { BrokerError } from '../core/errors.ts';
import type { CredentialIssuer, IssuerKeyView } from '../core/ports.ts';
import { CircuitBreaker } from '../kit/calls/circuit-breaker.ts';
import { RetryBudget } from '../kit/calls/retry-budget.ts';
import { backoffMs, equalJitter } from '../kit/timing/backoff.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { sleep } from '../kit/timing/sleep.ts';
import { createStsClient, type StsEndpoint } from './sts-client.ts';
import { circuitOpen, classifyStsError, type StsFailure, stsFailureKinds } from './sts-errors.ts';
import { readAnswer, type StsAnswer } from './web-identity-answer.ts';
import type { WebIdentityRequest } from './web-identity-request.ts';

export const stsOutcomes = ['issued', ...stsFailureKinds] as const;

/** One call to one endpoint, for metrics. */
export interface StsCall {
  readonly region: string;
  readonly outcome: (typeof stsOutcomes)[number];
  readonly durationMs: number;
  /** Of STS, where it issued and said one. */
  readonly requestId: string | undefined;
}

export interface StsWebIdentityAdapterOptions {
  /** In order of preference. */
  readonly endpoints: readonly [StsEndpoint, ...StsEndpoint[]];
  readonly clock: Clock;
  readonly connectTimeoutMs?: number;
  /** From the start of one call to the last byte of its answer. */
  readonly requestTimeoutMs?: number;
  /** For all tries of one exchange together, the pauses between them included. */
  readonly totalTimeoutMs?: number;
  /** Exchanges in flight; one more is refused with `overloaded` instead of queueing. */
  readonly maxInFlight?: number;
  /** Connections per endpoint. */
  readonly maxSockets?: number;
  /** Without one, every key that STS cannot get is taken for an outage. */
  readonly keys?: IssuerKeyView | undefined;
  readonly random?: () => number;
  readonly observer?: (call: StsCall) => void;
}

/**
 * Exchanges a caller's token for session credentials: AssumeRoleWithWebIdentity, unsigned.
 *
 * An exchange makes at most three calls. An endpoint that does not answer is left for the next one in order;
 * calling the same one again is bounded by a retry budget, and one that keeps failing is not called at all
 * but for a probe a second.
 */
export class StsWebIdentityAdapter implements CredentialIssuer {
  readonly #endpoints: readonly Endpoint[];
  readonly #clock: Clock;
  readonly #requestTimeoutMs: number;
  readonly #totalTimeoutMs: number;
  readonly #maxInFlight: number;
  readonly #keys: IssuerKeyView | undefined;
  readonly #random: () => number;
  readonly #observer: ((call: StsCall) => void) | undefined;
  readonly #retries = new RetryBudget();
  #inFlight = 0;

  constructor({
    endpoints,
    clock,
    connectTimeoutMs = 1000,
    requestTimeoutMs = 2000,
    totalTimeoutMs = 3000,
    maxInFlight = 200,
    maxSockets = maxInFlight,
    keys,
    random = Math.random,
    observer,
  }: StsWebIdentityAdapterOptions) {
    this.#endpoints = endpoints.map((endpoint) => ({
      region: endpoint.region,
      client: createStsClient({ ...endpoint, connectTimeoutMs, maxSockets }),
      breaker: new CircuitBreaker({ clock }),
    }));
    this.#clock = clock;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#totalTimeoutMs = totalTimeoutMs;
    this.#maxInFlight = maxInFlight;
    this.#keys = keys;
    this.#random = random;
    this.#observer = observer;
  }

  /** Exchanges that are under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * @throws BrokerError `overloaded`, or what STS said: `token_expired`, `sts_token_rejected`,
   * `sts_access_denied`, `sts_request_rejected`, `sts_throttled`, `sts_unavailable`, `sts_bad_response`.
   */
  async issue(plan: WebIdentityRequest, token: string): Promise<IssueResult> {
    if (this.#inFlight >= this.#maxInFlight) {
      throw new BrokerError('overloaded', {
        detail: 'Too many exchanges are under way. Try again after the time in Retry-After.',
      });
    }
    this.#inFlight += 1;
    try {
      return { session: await this.#exchange(plan, token), cached: false };
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** Closes idle connections; exchanges under way fail. */
  stop(): void {
    for (const { client } of this.#endpoints) client.destroy();
  }

  async #exchange(plan: WebIdentityRequest, token: string): Promise<IssuedSession> {
    this.#retries.earn();
    const tries: Try[] = [];
    const endsAt = this.#clock.monotonic() + this.#totalTimeoutMs;
    for (;;) {
      const endpoint = nextEndpoint(this.#endpoints, tries);
      if (endpoint === undefined || !endpoint.breaker.admit()) {
        throw (tries.at(-1)?.failure ?? circuitOpen()).error;
      }
      const answer = await this.#call(endpoint, plan, token, endsAt);
      if (answer.kind === 'issued') return answer.session;

      tries.push({ endpoint, failure: answer });
      const pauseMs = this.#pauseBeforeRetry(tries);
      if (pauseMs === undefined || this.#clock.monotonic() + pauseMs >= endsAt) throw answer.error;
      if (pauseMs > 0) await sleep(this.#clock, pauseMs);
    }
  }

  async #call(
    { region, client, breaker }: Endpoint,
    plan: WebIdentityRequest,
    token: string,
    endsAt: number,
  ): Promise<StsAnswer> {
    const startedAt = this.#clock.monotonic();
    const timeoutMs = Math.max(1, Math.min(this.#requestTimeoutMs, endsAt - startedAt));
    // The SDK's own timeouts end with the first byte of the answer.
    const deadline = this.#clock.deadline(timeoutMs);
    const sent = await client
      .send(command(plan, token), { abortSignal: deadline.signal })
      .then(
        (output) => ({ output }),
        (error: unknown) => ({
          failure: classifyStsError(error, () => this.#keys?.lacksKeyOf(token) ?? false),
        }),
      )
      .finally(deadline.release);
    const down = 'failure' in sent && sent.failure.kind === 'endpoint_down';
    if (down) breaker.failed();
    else breaker.succeeded();
    const answer: StsAnswer =
      'failure' in sent ? sent.failure : readAnswer(sent.output, plan, this.#clock.now());
    this.#observer?.({
      region,
      outcome: answer.kind,
      durationMs: this.#clock.monotonic() - startedAt,
      requestId: answer.kind === 'issued' ? answer.session.stsRequestId : undefined,
    });
    return answer;
  }

  /** Undefined: no further try. */
  #pauseBeforeRetry(tries: readonly Try[]): number | undefined {
    const kind = tries.at(-1)?.failure.kind;
    if (kind === 'refused' || kind === 'bad_response' || tries.length >= maxTries) return undefined;
    const next = nextEndpoint(this.#endpoints, tries);
    if (next === undefined) return undefined;
    // Each endpoint gets no more than one call per exchange this way, so it costs no retry budget.
    const movesOn = kind !== 'throttled' && kind !== 'keys_not_fetched' && !wasTried(next, tries);
    if (movesOn) return 0;
    if (!this.#retries.spend()) return undefined;
    const baseMs = kind === 'throttled' ? 400 : 100;
    return equalJitter(
      backoffMs(tries.length - 1, { baseMs, capMs: longestPauseMs }),
      this.#random,
    );
  }
}

interface Endpoint {
  readonly region: string;
  readonly client: STSClient;
  readonly breaker: CircuitBreaker;
}

interface Try {
  readonly endpoint: Endpoint;
  readonly failure: StsFailure;
}

const maxTries = 3;
const longestPauseMs = 2_000;

/** The first endpoint in order that has not been tried; else the first that may be tried again. */
function nextEndpoint(endpoints: readonly Endpoint[], tries: readonly Try[]): Endpoint | undefined {
  const usable = endpoints.filter(
    (endpoint) =>
      endpoint.breaker.admits &&
      !tries.some((one) => one.endpoint === endpoint && one.failure.kind === 'region_disabled'),
  );
  return usable.find((endpoint) => !wasTried(endpoint, tries)) ?? usable[0];
}

function wasTried(endpoint: Endpoint, tries: readonly Try[]): boolean {
  return tries.some((one) => one.endpoint === endpoint);
}

function command(plan: WebIdentityRequest, token: string): AssumeRoleWithWebIdentityCommand {
  return new AssumeRoleWithWebIdentityCommand({
    RoleArn: plan.roleArn,
    RoleSessionName: plan.sessionName,
    WebIdentityToken: token,
    DurationSeconds: plan.durationSeconds,
    Policy: plan.policy,
    ...(plan.policyArns.length === 0
      ? {}
      : { PolicyArns: plan.policyArns.map((arn) => ({ arn })) }),
  });
}
