import { callerKey } from '../core/caller.ts';
import type { IssueResult } from '../core/credentials.ts';
import { BrokerError } from '../core/errors.ts';
import type { CredentialIssuer, Urgency } from '../core/ports.ts';
import type { SessionPlan } from '../core/session/session.ts';

export interface CallerShareOptions {
  readonly issuer: CredentialIssuer;
  /** Exchanges of all callers that may be under way at once. */
  readonly maxInFlight: number;
  readonly onRefused?: () => void;
}

const shareOfOneCaller = 0.5;

/**
 * Keeps places for others among the exchanges under way (T109): a caller with roles in several accounts has a budget
 * in each, and while STS is slow these together would take every place there is.
 */
export class CallerShare implements CredentialIssuer {
  readonly #issuer: CredentialIssuer;
  readonly #share: number;
  readonly #onRefused: () => void;
  /** Exchanges under way of each caller that has any. */
  readonly #inFlight = new Map<string, number>();

  constructor({ issuer, maxInFlight, onRefused }: CallerShareOptions) {
    this.#issuer = issuer;
    this.#share = Math.max(1, Math.floor(maxInFlight * shareOfOneCaller));
    this.#onRefused = onRefused ?? (() => {});
  }

  /** @throws BrokerError `overloaded`, or as the decorated issuer does. */
  async issue(plan: SessionPlan, token: string, urgency?: Urgency): Promise<IssueResult> {
    const caller = callerKey(plan.caller);
    const others = this.#inFlight.get(caller) ?? 0;
    if (others >= this.#share) {
      this.#onRefused();
      throw new BrokerError('overloaded', {
        detail:
          'Too many new sessions of this caller are being made. Try again after the time in Retry-After.',
        reason: 'share_of_caller',
      });
    }
    this.#inFlight.set(caller, others + 1);
    try {
      return await this.#issuer.issue(plan, token, urgency);
    } finally {
      const left = (this.#inFlight.get(caller) ?? 1) - 1;
      if (left === 0) this.#inFlight.delete(caller);
      else this.#inFlight.set(caller, left);
    }
  }
}
