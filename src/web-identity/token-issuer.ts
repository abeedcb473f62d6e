import { hash, randomUUID } from 'node:crypto';
import { BrokerError } from '../core/errors.ts';
import type { SessionPlan } from '../core/session/session.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { identityClaims, subjectKey, type TokenTerms } from './identity-claims.ts';
import { ProvenKey, type SigningLimits } from './proven-key.ts';
import { type PublishedKey, UnfitTokenKeyError } from './public-key.ts';
import { nameOfFailure, signingFailureOf, signingFailures } from './signing-failure.ts';
import type { TokenSigner } from './token-signer.ts';

const keyUses = ['current', 'next', 'previous'] as const;
export type KeyUse = (typeof keyUses)[number];

export interface TokenIssuerOptions extends SigningLimits {
  readonly terms: TokenTerms;
  /** `current` signs; all of them are published. */
  readonly signers: { readonly current: TokenSigner } & Partial<Record<KeyUse, TokenSigner>>;
  readonly observer?: ((event: SigningEvent) => void) | undefined;
}

export const signingResults = ['signed', ...signingFailures, 'overloaded'] as const;

/** One signature that was asked for, for metrics. */
export interface SigningEvent {
  readonly result: (typeof signingResults)[number];
  readonly durationMs: number;
}

/** A token, for memory alone, and what names it where it must not appear. */
export interface IssuedToken {
  readonly token: string;
  /** `jti` */
  readonly id: string;
  readonly keyId: string;
  /** Lower-case hex SHA-256 of the token. */
  readonly sha256: string;
  readonly subject: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** Why the keys are not fit to begin with; names the key by its use. */
export class TokenKeyError extends Error {
  override readonly name = 'TokenKeyError';
  readonly use: KeyUse;

  constructor(use: KeyUse, cause: unknown) {
    super(`the ${use} key of webIdentity.keys cannot sign (${reasonOf(cause)})`);
    this.use = use;
  }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof UnfitTokenKeyError) return cause.message;
  if (cause instanceof BrokerError && cause.reason !== undefined) return cause.reason;
  // What is wrong with credentials, region or network has many names, and an operator who reads this knows them.
  const name = nameOfFailure(cause);
  return [signingFailureOf(cause), ...(name === undefined ? [] : [name])].join(': ');
}

/** Issues web identity tokens: each for one plan, about a minute long, bound to the one role. */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions;
  readonly #clock: Clock;
  #current: ProvenKey | undefined;
  #published: readonly PublishedKey[] = [];

  constructor(options: TokenIssuerOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** The keys that must be published, by their use. Empty before `start()`. */
  get published(): readonly PublishedKey[] {
    return this.#published;
  }

  /**
   * Has every key sign: one that is published and cannot would leave nothing to turn to. `onForbidden` is for whoever
   * issues nothing, and is told of keys that may only be read.
   *
   * @throws TokenKeyError
   */
  async start(onForbidden?: (key: PublishedKey) => void): Promise<void> {
    const { signers } = this.#options;
    const keys: ProvenKey[] = [];
    for (const use of keyUses) {
      const signer = signers[use];
      if (signer === undefined) continue;
      try {
        keys.push(await ProvenKey.prove(signer, this.#options, onForbidden));
      } catch (error) {
        throw new TokenKeyError(use, error);
      }
    }
    // Two names, such as aliases of KMS, may be of one key; of two keys with one id STS takes one.
    this.#published = [
      ...new Map(keys.map(({ published }) => [published.kid, published])).values(),
    ];
    this.#current = keys[0];
  }

  /** @throws BrokerError `web_identity_unavailable` or `token_claims_invalid` */
  async issue(plan: SessionPlan): Promise<IssuedToken> {
    const key = this.#current;
    if (key === undefined) throw new TypeError('a token issuer must be started');
    const { terms, observer } = this.#options;
    const id = randomUUID();
    const now = this.#clock.now();
    const { kid } = key.published;
    const claims = identityClaims(plan, terms, { id, now });
    const input = `${encoded({ alg: 'RS256', kid, typ: 'JWT' })}.${encoded(claims)}`;
    const startedAt = this.#clock.monotonic();
    const report = (result: SigningEvent['result']) =>
      observer?.({ result, durationMs: this.#clock.monotonic() - startedAt });
    const signature = await key.sign(input).catch((error: unknown) => {
      report(resultOf(error));
      throw error;
    });
    report('signed');
    const token = `${input}.${signature.toString('base64url')}`;
    return {
      token,
      id,
      keyId: kid,
      sha256: hash('sha256', token, 'hex'),
      subject: subjectKey(plan.caller),
      expiresAt: now + terms.lifetimeSeconds * 1000,
    };
  }

  stop(): void {
    for (const signer of Object.values(this.#options.signers)) signer.stop();
  }
}

function resultOf(error: unknown): SigningEvent['result'] {
  const reason = error instanceof BrokerError ? error.reason : undefined;
  return signingFailures.find((one) => one === reason) ?? 'overloaded';
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
