import { BrokerError } from '../../core/errors.ts';
import { boundedFetch } from '../../kit/net/bounded-fetch.ts';
import { backoffMs, spread } from '../../kit/timing/backoff.ts';
import type { Clock, Timer } from '../../kit/timing/clock.ts';
import { ageMs, type Moment, momentAt } from '../../kit/timing/moment.ts';
import {
  JwksError,
  parseJwks,
  retainSame,
  type VerificationKey,
  type VerificationKeys,
} from './jwks.ts';
import type { JwksObserver } from './jwks-observer.ts';
import type { JwksStore, StoredJwks } from './jwks-store.ts';
import type { KeyType } from './key-type.ts';

export interface JwksIssuer {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly keyType: KeyType;
}

export interface KeyRefreshOptions {
  readonly clock: Clock;
  readonly observer?: JwksObserver | undefined;
  /** Between refreshes while they succeed, give or take a tenth. Default 5 minutes. */
  readonly refreshIntervalMs?: number | undefined;
  /** How long keys are relied on without a successful refresh. Default 24 hours. */
  readonly maxAgeMs?: number | undefined;
  /** Between fetches that tokens with unknown keys can cause, per issuer. Default 30 seconds. */
  readonly missCooldownMs?: number | undefined;
  /** Default 2 seconds. */
  readonly fetchTimeoutMs?: number | undefined;
  /** Default 64 KiB. */
  readonly maxBytes?: number | undefined;
  /** From 0 to 1, for jitter. */
  readonly random?: (() => number) | undefined;
}

export interface IssuerKeysOptions extends JwksIssuer, KeyRefreshOptions {
  readonly store: JwksStore | undefined;
}

/** With the jitter on top, an issuer that is back is noticed within ten seconds. */
const retryBackoff = { baseMs: 1_000, capMs: 9_000 };
/** A stored date this far in the future is a clock that was set back; further, it is not to be believed. */
const storedClockSkewMs = 60_000;

/** The keys of one issuer. At most one fetch is under way at any time. */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #clock: Clock;
  readonly #refreshIntervalMs: number;
  readonly #maxAgeMs: number;
  readonly #missCooldownMs: number;
  #keys: VerificationKeys = new Map();
  #fetched: Moment | undefined;
  #failures = 0;
  #lastFailure: unknown;
  #inFlight: Promise<void> | undefined;
  #missMayFetchAt = Number.NEGATIVE_INFINITY;
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #saved: Promise<void> = Promise.resolve();

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#refreshIntervalMs = options.refreshIntervalMs ?? 5 * 60_000;
    this.#maxAgeMs = options.maxAgeMs ?? 24 * 60 * 60_000;
    this.#missCooldownMs = options.missCooldownMs ?? 30_000;
  }

  async start(): Promise<void> {
    await this.#restore();
    if (this.#stopping.signal.aborted) return;
    const fetched = this.#fetch();
    if (!this.ready()) await fetched;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.cancel();
    await this.#inFlight;
    await this.#saved;
  }

  current(kid: string): VerificationKey | undefined {
    return this.ready() ? this.#keys.get(kid) : undefined;
  }

  find(kid: string): VerificationKey | Promise<VerificationKey> {
    return this.current(kid) ?? this.#findByFetching(kid);
  }

  ready(): boolean {
    const ageMs = this.ageMs();
    return ageMs !== undefined && ageMs <= this.#maxAgeMs;
  }

  ageMs(): number | undefined {
    return this.#fetched && ageMs(this.#clock, this.#fetched);
  }

  async #findByFetching(kid: string): Promise<VerificationKey> {
    // A fetch that was already under way may have been answered before the key was published: hence a second.
    for (const _attempt of [1, 2]) {
      const fetched = this.#inFlight ?? this.#fetchForMiss();
      if (fetched === undefined) break;
      await fetched;
      const key = this.current(kid);
      if (key !== undefined) return key;
    }
    throw this.#missing();
  }

  /** Undefined while the budget of misses is spent. Refreshes by the timer do not draw on it (T5). */
  #fetchForMiss(): Promise<void> | undefined {
    const now = this.#clock.monotonic();
    if (now < this.#missMayFetchAt) return undefined;
    this.#missMayFetchAt = now + this.#missCooldownMs;
    return this.#fetch();
  }

  #missing(): BrokerError {
    if (this.ready() && this.#failures === 0) {
      return new BrokerError('token_key_unknown', {
        detail: 'Get a new token from its issuer: it no longer, or not yet, publishes the key.',
      });
    }
    return new BrokerError('keys_unavailable', {
      detail:
        this.#lastFailure instanceof JwksError
          ? 'The key set at the JWKS URI was fetched and refused: the log of this service says why, and the issuer has to publish another.'
          : 'Try again shortly; if it lasts, check that this service reaches the JWKS URI.',
      cause: this.#lastFailure,
    });
  }

  #fetch(): Promise<void> {
    this.#inFlight ??= this.#fetchOnce().finally(() => {
      this.#inFlight = undefined;
      this.#schedule();
    });
    return this.#inFlight;
  }

  /** Never rejects: the last good keys stay (T14), and waiters look at what there is. */
  async #fetchOnce(): Promise<void> {
    const { issuer, jwksUri, keyType, observer } = this.#options;
    const fetched = momentAt(this.#clock, this.#clock.now());
    const elapsed = () => this.#clock.monotonic() - fetched.monotonicMs;
    try {
      const keys = parseJwks(await this.#fetchDocument(jwksUri), keyType);
      // The whole set is replaced: what the issuer withdrew is no longer trusted (T15).
      this.#keys = retainSame(this.#keys, keys);
      this.#fetched = fetched;
      this.#failures = 0;
      this.#lastFailure = undefined;
      this.#save({ keys, fetchedAt: fetched.epochMs });
      observer?.onFetch?.({ issuer, jwksUri, result: 'ok', durationMs: elapsed() });
    } catch (error) {
      // A fetch that was given up because of stop() is no failure.
      if (this.#stopping.signal.aborted) return;
      this.#failures += 1;
      this.#lastFailure = error;
      observer?.onFetch?.({ issuer, jwksUri, result: 'failed', durationMs: elapsed(), error });
    }
  }

  async #fetchDocument(jwksUri: string): Promise<Uint8Array> {
    const maxBytes = this.#options.maxBytes ?? 64 * 1024;
    const { status, body } = await boundedFetch(jwksUri, {
      headers: { accept: 'application/json' },
      clock: this.#clock,
      timeoutMs: this.#options.fetchTimeoutMs ?? 2_000,
      maxBytes,
      givenUp: this.#stopping.signal,
    });
    if (status !== 200) throw new Error(`the JWKS URI answered with status ${status}`);
    if (body === undefined) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    return body;
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#stopping.signal.aborted) return;
    const delayMs =
      this.#failures === 0 ? this.#refreshIntervalMs : backoffMs(this.#failures - 1, retryBackoff);
    const random = this.#options.random ?? Math.random;
    this.#timer = this.#clock.after(spread(delayMs, random), () => void this.#fetch());
  }

  async #restore(): Promise<void> {
    const { issuer, keyType, store, observer } = this.#options;
    let stored: StoredJwks | undefined;
    try {
      stored = await store?.read(issuer, keyType);
    } catch (error) {
      observer?.onStoreFailed?.({ issuer, operation: 'read', error });
    }
    if (stored === undefined || this.#fetched !== undefined) return;
    const fetched = momentAt(this.#clock, stored.fetchedAt);
    if (ageMs(this.#clock, fetched) < -storedClockSkewMs) return;
    this.#keys = stored.keys;
    this.#fetched = fetched;
  }

  /** In the background: a disk that hangs must not delay tokens. */
  #save(stored: StoredJwks): void {
    const { issuer, store, observer } = this.#options;
    if (store === undefined) return;
    this.#saved = this.#saved
      .then(() => store.write(issuer, stored))
      .catch((error: unknown) => observer?.onStoreFailed?.({ issuer, operation: 'write', error }));
  }
}
