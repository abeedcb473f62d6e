import { type BrokerCredentials, TokenBrokerError } from '../client/broker-client.ts';
import { type RenewalFailure, RenewedValue } from '../kit/calls/renewed-value.ts';
import { atMost } from '../kit/timing/at-most.ts';
import { backoffMs, equalJitter } from '../kit/timing/backoff.ts';
import { type Clock, toRfc3339 } from '../kit/timing/clock.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface CredentialKeeperOptions {
  /** Asks the broker, within a deadline of its own. */
  readonly ask: (signal: AbortSignal) => Promise<BrokerCredentials>;
  readonly clock: Clock;
  /** Says which role it is about. */
  readonly logger: Logger;
}

export type Kept =
  | { readonly kind: 'credentials'; readonly credentials: BrokerCredentials }
  /** `error` is why the last try failed; undefined while the first one is under way. */
  | { readonly kind: 'none'; readonly error: Error | undefined };

/**
 * The credentials of one role, renewed in the background for as long as they live. A failure leaves those at hand
 * in use until 60 s before they end; a denial takes them away at once. Where there are none, the broker is
 * asked when somebody wants some, but not more often than the backoff allows.
 */
export class CredentialKeeper {
  readonly #options: CredentialKeeperOptions;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  readonly #credentials: RenewedValue<BrokerCredentials>;
  #error: Error | undefined;

  constructor(options: CredentialKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#credentials = new RenewedValue({
      clock: options.clock,
      renewedOn: 'readiness',
      leastMs,
      renewAfterMs: (lifeMs) => renewalDelayMs(lifeMs, Math.random()),
      withdraws: isDenial,
      pauseMs: pauseAfter,
      obtain: () => this.#obtain(),
      observer: (failure) => this.#failed(failure),
    });
  }

  /** Asks before anybody wants some. */
  start(): void {
    this.#credentials.get().catch(() => undefined);
  }

  /** Answers at once if it can, and after `waitMs` in any case. */
  async get(waitMs: number): Promise<Kept> {
    const asked = this.#credentials.get().then(
      (credentials): Kept => ({ kind: 'credentials', credentials }),
      (): undefined => undefined,
    );
    return (await atMost(this.#clock, waitMs, asked)) ?? { kind: 'none', error: this.#error };
  }

  /** Ends renewing; nothing is said of an answer that is still to come. */
  stop(): void {
    this.#stopping.abort();
    this.#credentials.stop();
  }

  async #obtain() {
    const { ask, clock, logger } = this.#options;
    const credentials = await ask(this.#stopping.signal);
    this.#stopping.signal.throwIfAborted();
    const expiresAt = credentials.expiration.getTime();
    if (expiresAt - clock.now() <= leastMs) throw tooShort();
    this.#error = undefined;
    const { roleArn } = credentials;
    logger.info({ roleArn, expiresAt: toRfc3339(expiresAt) }, 'renewed');
    return { value: credentials, expiresAt };
  }

  #failed({ error, pauseMs, held }: RenewalFailure<BrokerCredentials>): void {
    if (this.#stopping.signal.aborted) return;
    this.#error = error as Error;
    const servingUntil = held && toRfc3339(held.expiration.getTime());
    this.#options.logger.warn(
      { ...failureFields(this.#error), pauseMs: Math.round(pauseMs), servingUntil },
      isDenial(error) ? 'denied' : 'not renewed',
    );
  }
}

/** What is given out must outlast the call that it is for. */
const leastMs = 60_000;
const longestPauseMs = 30_000;
const pauses = { baseMs: 1_000, capMs: longestPauseMs };
/** AWS SDKs ask again when less than this is left, botocore then with every call. */
const sdkWindowMs = 15 * 60_000;

/** After 50 to 75 % of their life, and before SDKs grow restless if they last long enough for that. */
function renewalDelayMs(lifeMs: number, random: number): number {
  const partMs = lifeMs * (0.5 + 0.25 * random);
  if (lifeMs <= sdkWindowMs) return partMs;
  return Math.min(partMs, Math.max(30_000, (lifeMs - sdkWindowMs) * (0.8 + 0.2 * random)));
}

/** The broker may ask for more than the backoff. */
function pauseAfter(error: unknown, failures: number): number {
  const askedMs = error instanceof TokenBrokerError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
  const ownMs = equalJitter(backoffMs(failures, pauses), Math.random);
  return Math.max(ownMs, Math.min(askedMs, longestPauseMs));
}

function isDenial(error: unknown): boolean {
  return error instanceof TokenBrokerError && error.denied;
}

function tooShort(): TokenBrokerError {
  const detail = 'The credentials end within a minute: check the clock of this machine.';
  return new TokenBrokerError('broker_answer_invalid', detail, { retryable: true });
}

/** A closed set of fields: errors of other kinds may carry anything. */
function failureFields(error: Error) {
  const { code, status } = error as { code?: unknown; status?: unknown };
  return { code, status, detail: error.message };
}
