import { addressBlock } from '../core/address-block.ts';
import type { Caller } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import { BrokerError } from '../core/errors.ts';
import type { KnownTokens, TokenValidator } from '../core/ports.ts';
import { KeyedBuckets } from '../resilience/keyed-buckets.ts';
import type { Rate } from '../resilience/token-bucket.ts';
import { rateLimited } from './rate-limited.ts';

export interface FailedTokenLimitOptions {
  readonly validator: TokenValidator & KnownTokens;
  readonly rate: Rate;
  readonly clock: Clock;
  readonly onRefused?: () => void;
}

/**
 * Ends the work that bad tokens make (T43): an address that has sent too many of them has no further one looked
 * at for a while. Tokens that are known pass, so callers at work are not locked out by a neighbour behind the
 * same address.
 */
export class FailedTokenLimit implements TokenValidator {
  readonly #validator: TokenValidator & KnownTokens;
  readonly #rate: Rate;
  readonly #failures: KeyedBuckets;
  readonly #onRefused: () => void;
  readonly #charged = new WeakSet<BrokerError>();

  constructor({ validator, rate, clock, onRefused }: FailedTokenLimitOptions) {
    this.#validator = validator;
    this.#rate = rate;
    this.#failures = new KeyedBuckets({ rate, clock });
    this.#onRefused = onRefused ?? (() => {});
  }

  validate(token: string, source: string): Caller | Promise<Caller> {
    const known = this.#validator.recall(token);
    if (known !== undefined) return known;

    const block = addressBlock(source);
    const waitMs = this.#failures.known(block)?.waitMs ?? 0;
    if (waitMs === 0) return this.#verify(token, source, block);
    this.#onRefused();
    throw rateLimited({
      reason: 'failed_tokens',
      detail:
        'Too many tokens from this address were refused. Wait for the time in Retry-After, and send a token that its issuer made.',
      rate: this.#rate,
      waitMs,
    });
  }

  /**
   * Counts a request without a token, or with something else in its place, like a bad token: it is never shown to
   * `validate`. Other refusals, and those counted there, count for nothing here.
   */
  noteRefusal(error: BrokerError, source: string): void {
    if (error.code !== 'token_missing' && error.code !== 'token_malformed') return;
    if (!this.#charged.has(error)) this.#failures.of(addressBlock(source)).take();
  }

  async #verify(token: string, source: string, block: string): Promise<Caller> {
    try {
      return await this.#validator.validate(token, source);
    } catch (error) {
      // Keys that cannot be fetched are no fault of the token.
      if (error instanceof BrokerError && error.status === 401) {
        this.#charged.add(error);
        this.#failures.of(block).take();
      }
      throw error;
    }
  }
}
