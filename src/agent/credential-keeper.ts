import { type BrokerCredentials, TokenBrokerError } from '../client/broker-client.ts';
import { atMost } from '../kit/timing/at-most.ts';
import { type Clock, type Timer, toRfc3339 } from '../kit/timing/clock.ts';
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
  #held: BrokerCredentials | undefined;
  /** Monotonic: a clock that is set back must not bring ended credentials back to life. */
  #endsAt = 0;
  /** Epoch milliseconds; sleep of the machine counts, which a timer does not notice. */
  #renewAt = 0;
  #failures = 0;
  #error: Error | undefined;
  /** Monotonic: no try before that. */
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #underWay: Promise<void> | undefined;
  #timer: Timer | undefined;

  constructor(options: CredentialKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** Asks before anybody wants some. */
  start(): void {
    this.#renew();
  }

  /** Answers at once if it can, and after `waitMs` in any case. */
  async get(waitMs: number): Promise<Kept> {
    const due = this.#clock.now() >= this.#renewAt || this.#usable() === undefined;
    if (due && this.#clock.monotonic() >= this.#pausedUntil) this.#renew();
    if (this.#usable() === undefined && this.#underWay !== undefined) {
      await atMost(this.#clock, waitMs, this.#underWay);
    }
    const credentials = this.#usable();
    return credentials === undefined
      ? { kind: 'none', error: this.#error }
      : { kind: 'credentials', credentials };
  }

  /** Ends renewing; an answer that is still to come is ignored. */
  stop(): void {
    this.#stopping.abort();
    this.#timer?.cancel();
  }

  #usable(): BrokerCredentials | undefined {
    const held = this.#held;
    if (held === undefined) return undefined;
    const remainingMs = Math.min(this.#remainingMs(held), this.#endsAt - this.#clock.monotonic());
    return remainingMs > leastMs ? held : undefined;
  }

  #remainingMs({ expiration }: BrokerCredentials): number {
    return expiration.getTime() - this.#clock.now();
  }

  #renew(): void {
    this.#underWay ??= this.#tryOnce().finally(() => {
      this.#underWay = undefined;
    });
  }

  async #tryOnce(): Promise<void> {
    try {
      const credentials = await this.#options.ask(this.#stopping.signal);
      if (this.#remainingMs(credentials) <= leastMs) throw tooShort();
      this.#keep(credentials);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #keep(credentials: BrokerCredentials): void {
    if (this.#stopping.signal.aborted) return;
    this.#held = credentials;
    this.#failures = 0;
    this.#error = undefined;
    this.#pausedUntil = Number.NEGATIVE_INFINITY;
    const lifeMs = this.#remainingMs(credentials);
    this.#endsAt = this.#clock.monotonic() + lifeMs;
    const delayMs = renewalDelayMs(lifeMs, Math.random());
    this.#renewAt = this.#clock.now() + delayMs;
    this.#renewIn(delayMs);
    const expiresAt = toRfc3339(credentials.expiration.getTime());
    this.#options.logger.info({ roleArn: credentials.roleArn, expiresAt }, 'renewed');
  }

  #fail(error: Error): void {
    if (this.#stopping.signal.aborted) return;
    const denied = error instanceof TokenBrokerError && error.denied;
    if (denied) this.#held = undefined;
    this.#error = error;
    const pauseMs = this.#pauseMs(error);
    this.#failures += 1;
    this.#pausedUntil = this.#clock.monotonic() + pauseMs;
    const usable = this.#usable();
    this.#timer?.cancel();
    if (usable !== undefined) this.#renewIn(pauseMs);
    this.#options.logger.warn(
      {
        ...failureFields(error),
        pauseMs: Math.round(pauseMs),
        ...(usable === undefined ? {} : { servingUntil: toRfc3339(usable.expiration.getTime()) }),
      },
      denied ? 'denied' : 'not renewed',
    );
  }

  /** Exponential, half of it random so that agents that fail together drift apart; the broker may ask for more. */
  #pauseMs(error: Error): number {
    const boundMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures, 16));
    const askedMs = error instanceof TokenBrokerError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const ownMs = boundMs * (0.5 + Math.random() / 2);
    return Math.max(ownMs, Math.min(askedMs, longestPauseMs));
  }

  #renewIn(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => this.#renew());
  }
}

/** What is given out must outlast the call that it is for. */
const leastMs = 60_000;
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** AWS SDKs ask again when less than this is left, botocore then with every call. */
const sdkWindowMs = 15 * 60_000;

/** After 50 to 75 % of their life, and before SDKs grow restless if they last long enough for that. */
function renewalDelayMs(lifeMs: number, random: number): number {
  const partMs = lifeMs * (0.5 + 0.25 * random);
  if (lifeMs <= sdkWindowMs) return partMs;
  return Math.min(partMs, Math.max(30_000, (lifeMs - sdkWindowMs) * (0.8 + 0.2 * random)));
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
