import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { BrokerError } from '../core/errors.ts';
import { CircuitBreaker } from '../kit/calls/circuit-breaker.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { withDeadline } from '../kit/timing/with-deadline.ts';
import { type PublishedKey, publishedKey } from './public-key.ts';
import { cannotSign, isForbidden, signingFailureOf } from './signing-failure.ts';
import type { TokenSigner } from './token-signer.ts';

export interface SigningLimits {
  readonly clock: Clock;
  /** For one signature. */
  readonly timeoutMs: number;
  /** Signatures under way; one more is refused with `overloaded`. */
  readonly maxInFlight: number;
}

/** For the first answer of all, which waits for the SDK's client to be loaded: on a small machine that takes a while. */
const firstTimeoutMs = 10_000;

/** A key that has signed before anybody relied on it, and whose every signature is verified before it leaves. */
export class ProvenKey {
  readonly published: PublishedKey;
  readonly #signer: TokenSigner;
  readonly #publicKey: KeyObject;
  readonly #limits: SigningLimits;
  readonly #breaker: CircuitBreaker;
  #inFlight = 0;

  private constructor(signer: TokenSigner, published: PublishedKey, limits: SigningLimits) {
    this.#signer = signer;
    this.published = published;
    this.#publicKey = createPublicKey({ key: { ...published }, format: 'jwk' });
    this.#limits = limits;
    this.#breaker = new CircuitBreaker({ clock: limits.clock });
  }

  /**
   * Asks for the public key, and for a signature that it bears out. With `onForbidden`, a key that these credentials may
   * only read is taken unproven.
   *
   * @throws the error of whoever holds the key, UnfitTokenKeyError, or BrokerError `web_identity_unavailable`
   */
  static async prove(
    signer: TokenSigner,
    limits: SigningLimits,
    onForbidden?: (key: PublishedKey) => void,
  ): Promise<ProvenKey> {
    const { clock } = limits;
    const timeoutMs = Math.max(limits.timeoutMs, firstTimeoutMs);
    const publicKey = await withDeadline({ clock, timeoutMs }, (signal) =>
      signer.publicKey(signal),
    );
    const key = new ProvenKey(signer, publishedKey(publicKey), limits);
    await key.sign('this key signs web identity tokens').catch((error: unknown) => {
      if (onForbidden === undefined || !isForbidden(error)) throw error;
      onForbidden(key.published);
    });
    return key;
  }

  /** @throws BrokerError `web_identity_unavailable`, or `overloaded` */
  async sign(text: string): Promise<Buffer> {
    if (this.#inFlight >= this.#limits.maxInFlight) {
      throw new BrokerError('overloaded', {
        detail: 'Too many new sessions are being made. Try again after the time in Retry-After.',
      });
    }
    if (!this.#breaker.admit()) throw cannotSign('circuit_open');
    this.#inFlight += 1;
    try {
      return await this.#signed(text);
    } finally {
      this.#inFlight -= 1;
    }
  }

  stop(): void {
    this.#signer.stop();
  }

  async #signed(text: string): Promise<Buffer> {
    let signature: Buffer;
    try {
      signature = await withDeadline(this.#limits, (signal) => this.#signer.sign(text, signal));
    } catch (error) {
      this.#breaker.failed();
      throw cannotSign(signingFailureOf(error), error);
    }
    // A signer that lies is found out here and not by what STS says of it.
    if (!verify('sha256', Buffer.from(text), this.#publicKey, signature)) {
      this.#breaker.failed();
      throw cannotSign('signature_invalid');
    }
    this.#breaker.succeeded();
    return signature;
  }
}
