import { IssuerKeys, type JwksIssuer, type KeyRefreshOptions } from './issuer-keys.ts';
import type { VerificationKey } from './jwks.ts';
import { JwksStore } from './jwks-store.ts';

export interface JwksSourceOptions extends KeyRefreshOptions {
  readonly issuers: Iterable<JwksIssuer>;
  /** Where the last good key sets outlive the process; without one they do not. */
  readonly directory?: string | undefined;
}

/** The signing keys of every trusted issuer: fetched ahead, kept through outages, dropped when withdrawn. */
export class JwksSource {
  readonly #issuers = new Map<string, IssuerKeys>();

  constructor({ issuers, directory, ...rest }: JwksSourceOptions) {
    const store = directory === undefined ? undefined : new JwksStore(directory);
    for (const issuer of issuers) {
      this.#issuers.set(issuer.issuer, new IssuerKeys({ ...issuer, ...rest, store }));
    }
  }

  /**
   * Loads stored key sets and starts refreshing. Resolves when every issuer has keys or has been asked once,
   * which takes no longer than one fetch; never rejects for an issuer that is away.
   */
  async start(): Promise<void> {
    await Promise.all([...this.#issuers.values()].map((keys) => keys.start()));
  }

  /** Ends refreshing, gives up a fetch under way and waits for what is being stored. */
  async stop(): Promise<void> {
    await Promise.all([...this.#issuers.values()].map((keys) => keys.stop()));
  }

  /** The key, if it is at hand and may be relied on now. The same object as long as its material is the same. */
  current(issuer: string, kid: string): VerificationKey | undefined {
    return this.#keysOf(issuer).current(kid);
  }

  /**
   * The key, without a promise when it is at hand.
   *
   * @throws BrokerError `token_key_unknown` when the issuer does not publish such a key; `keys_unavailable`
   * when that cannot be known because the issuer does not answer.
   */
  find(issuer: string, kid: string): VerificationKey | Promise<VerificationKey> {
    return this.#keysOf(issuer).find(kid);
  }

  /** Since the last successful fetch; undefined before the first. */
  ageSeconds(issuer: string): number | undefined {
    const ageMs = this.#keysOf(issuer).ageMs();
    return ageMs === undefined ? undefined : Math.floor(ageMs / 1000);
  }

  /** Whether there are keys that may be relied on now. */
  ready(issuer: string): boolean {
    return this.#keysOf(issuer).ready();
  }

  #keysOf(issuer: string): IssuerKeys {
    const keys = this.#issuers.get(issuer);
    if (keys === undefined) throw new TypeError('keys were asked for an issuer without a JWKS URI');
    return keys;
  }
}
