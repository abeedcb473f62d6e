import type { Caller } from '../core/caller.ts';
import { BrokerError } from '../core/errors.ts';
import type { ClaimedSubject, KnownTokens, TokenValidator } from '../core/ports.ts';
import { tokenDigest } from '../core/token-digest.ts';
import { boundedMap } from '../kit/calls/bounded-map.ts';
import { addressBlock, type BlockBits } from '../kit/net/address-block.ts';
import { KeyedBuckets } from '../kit/rates/keyed-buckets.ts';
import type { Rate } from '../kit/rates/token-bucket.ts';
import { ownText } from '../kit/text/own-text.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { rateLimited } from './rate-limited.ts';

export interface FailedTokenLimitOptions {
  readonly validator: TokenValidator & KnownTokens;
  readonly rate: Rate;
  readonly clock: Clock;
  /** Default: an IPv4 address is a block, and an IPv6 /64. */
  readonly blocks?: BlockBits | undefined;
  readonly onRefused?: () => void;
}

/** What a principal that was here before may still have refused while its block is limited. */
const knownPrincipalRate: Rate = { perSecond: 0.1, burst: 5 };
/** Of one that its issuer made: it comes of a client that does not renew. */
const expiredWeight = 0.1;
const maxRemembered = 10_000;
/** Keys can be replaced under one id. */
const forgedForMs = 30_000;

interface CountedToken {
  readonly error: BrokerError;
  /** On the clock's monotonic scale. */
  readonly untilMs: number;
}

interface Attempt {
  readonly source: string;
  /** Of the token, as one that may have been counted. */
  readonly key: string;
  /** What pays for it if it is refused. */
  readonly bucket: KeyedBuckets;
  readonly name: string;
}

/**
 * Ends the work that bad tokens make (T43): an address that has sent too many of them has no further one looked
 * at for a while. Who has not sent them is not to wait for it (T72):
 *
 * - tokens that are known pass, and so do new ones of a principal that was here before, as long as few of those fail;
 * - one bad token counts once, however often it is sent, and one that its issuer made, and that has expired, for a tenth.
 */
export class FailedTokenLimit implements TokenValidator {
  readonly #validator: TokenValidator & KnownTokens;
  readonly #rate: Rate;
  readonly #blocks: BlockBits | undefined;
  readonly #failures: KeyedBuckets;
  readonly #principals: KeyedBuckets;
  readonly #onRefused: () => void;
  readonly #charged = new WeakSet<BrokerError>();
  /** Of those that had a token verified. */
  readonly #known = boundedMap<true>(maxRemembered);
  /** Tokens that were counted, by block and digest. */
  readonly #counted = boundedMap<CountedToken>(maxRemembered);
  readonly #clock: Clock;

  constructor({ validator, rate, clock, blocks, onRefused }: FailedTokenLimitOptions) {
    this.#validator = validator;
    this.#clock = clock;
    this.#rate = rate;
    this.#blocks = blocks;
    this.#failures = new KeyedBuckets({ rate, clock });
    this.#principals = new KeyedBuckets({ rate: knownPrincipalRate, clock });
    this.#onRefused = onRefused ?? (() => {});
  }

  validate(token: string, source: string): Caller | Promise<Caller> {
    const known = this.#validator.recall(token);
    if (known !== undefined) return known;

    const block = this.#blockOf(source);
    const key = `${block} ${tokenDigest(token)}`;
    const waitMs = this.#failures.known(block)?.waitMs ?? 0;
    if (waitMs === 0) {
      this.#refuseForged(key);
      return this.#verify(token, { source, key, bucket: this.#failures, name: block });
    }
    const principal = this.#counted.has(key) ? undefined : this.#knownPrincipal(token, block);
    if (principal !== undefined) {
      return this.#verify(token, { source, key, bucket: this.#principals, name: principal });
    }
    this.#onRefused();
    throw rateLimited({
      reason: 'failed_tokens',
      detail:
        'Too many tokens from this address were refused. Wait for the time in Retry-After, and send a token that its issuer made.',
      rate: this.#rate,
      waitMs,
    });
  }

  requireStillAccepted(caller: Caller): void {
    this.#validator.requireStillAccepted(caller);
  }

  /**
   * Counts a request without a token, or with something else in its place, like a bad token: it is never shown to
   * `validate`. Other refusals, and those counted there, count for nothing here.
   */
  noteRefusal(error: BrokerError, source: string): void {
    if (error.code !== 'token_missing' && error.code !== 'token_malformed') return;
    if (!this.#charged.has(error)) this.#failures.of(this.#blockOf(source)).take();
  }

  async #verify(token: string, { source, key, bucket, name }: Attempt): Promise<Caller> {
    try {
      const caller = await this.#validator.validate(token, source);
      this.#known.set(subjectKey(caller), true);
      return caller;
    } catch (error) {
      // Keys that cannot be fetched are no fault of the token.
      if (error instanceof BrokerError && error.status === 401) {
        this.#charged.add(error);
        const isNew = !this.#counted.has(key);
        this.#counted.set(key, { error, untilMs: this.#clock.monotonic() + forgedForMs });
        if (isNew) bucket.of(name).take(this.#weightOf(token, error));
      }
      throw error;
    }
  }

  /** Whoever makes up a token can make it an expired one. */
  #weightOf(token: string, { code }: BrokerError): number {
    return code === 'token_expired' && this.#validator.wasGenuine(token) ? expiredWeight : 1;
  }

  /** A signature is what costs most to look at: a wrong one is looked at once in a while. */
  #refuseForged(key: string): void {
    const counted = this.#counted.get(key);
    if (counted?.error.code !== 'token_signature_invalid') return;
    if (counted.untilMs > this.#clock.monotonic()) throw counted.error;
  }

  /**
   * The name of its budget, if the token claims to be of a principal that was here before and has some left. A
   * false claim is found out when the token is verified.
   */
  #knownPrincipal(token: string, block: string): string | undefined {
    const claimed = this.#validator.claimedSubject(token);
    if (claimed === undefined || !this.#known.has(subjectKey(claimed))) return undefined;
    const name = `${block} ${subjectKey(claimed)}`;
    return (this.#principals.known(name)?.waitMs ?? 0) === 0 ? name : undefined;
  }

  #blockOf(source: string): string {
    return addressBlock(source, this.#blocks);
  }
}

function subjectKey({ issuer, subject }: ClaimedSubject): string {
  return ownText(JSON.stringify([issuer, subject]));
}
