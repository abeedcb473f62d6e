import type { LRUCache } from 'lru-cache';
import type { IssueResult } from '../core/credentials.ts';
import { BrokerError, type BrokerErrorCode } from '../core/errors.ts';
import type { CredentialIssuer, Urgency } from '../core/ports.ts';
import type { SessionPlan } from '../core/session/session.ts';
import { boundedMap } from '../kit/calls/bounded-map.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { sessionKey } from './session-key.ts';

export interface RememberedRefusalsOptions {
  readonly issuer: CredentialIssuer;
  readonly clock: Clock;
  /** How long a refusal is given again without asking. Default 5 s: an SDK's retries, and no repair has to wait. */
  readonly rememberMs?: number;
  /** Default 10,000. */
  readonly maxRefusals?: number;
}

/** STS has looked at the request and refuses it: asked again at once, it says the same. */
const refusals: ReadonlySet<BrokerErrorCode> = new Set([
  'sts_access_denied',
  'sts_token_rejected',
  'sts_request_rejected',
]);

/**
 * SDKs repeat what was refused three to five times, a second apart. Those repeats get the same answer without a
 * call of STS, and nobody else does: what is remembered belongs to one session and one token (T29).
 */
export class RememberedRefusals implements CredentialIssuer {
  readonly #issuer: CredentialIssuer;
  readonly #clock: Clock;
  readonly #rememberMs: number;
  readonly #refused: LRUCache<string, Refusal>;

  constructor(options: RememberedRefusalsOptions) {
    const { issuer, clock, rememberMs = 5_000, maxRefusals = 10_000 } = options;
    this.#issuer = issuer;
    this.#clock = clock;
    this.#rememberMs = rememberMs;
    this.#refused = boundedMap(maxRefusals);
  }

  /** @throws BrokerError as the decorated issuer does, or did a moment ago. */
  async issue(plan: SessionPlan, token: string, urgency?: Urgency): Promise<IssueResult> {
    const key = `${sessionKey(plan)} ${plan.caller.tokenSha256}`;
    const refusal = this.#refused.get(key);
    if (refusal !== undefined) {
      if (this.#clock.monotonic() < refusal.until) throw refusal.error;
      this.#refused.delete(key);
    }
    try {
      return await this.#issuer.issue(plan, token, urgency);
    } catch (error) {
      if (error instanceof BrokerError && refusals.has(error.code)) {
        this.#refused.set(key, { error, until: this.#clock.monotonic() + this.#rememberMs });
      }
      throw error;
    }
  }
}

interface Refusal {
  readonly error: BrokerError;
  /** Monotonic. */
  readonly until: number;
}
