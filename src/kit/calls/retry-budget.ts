export interface RetryBudgetOptions {
  /** Retries allowed per call in the long run: 0.1 is one retry for ten calls. */
  readonly ratio?: number;
  /** Retries that may be saved up, and that are there from the start. */
  readonly reserve?: number;
}

/** Bounds retries by the number of calls, so that an outage does not multiply the load on what is failing. */
export class RetryBudget {
  readonly #ratio: number;
  readonly #reserve: number;
  #tokens: number;

  constructor({ ratio = 0.1, reserve = 10 }: RetryBudgetOptions = {}) {
    this.#ratio = ratio;
    this.#reserve = reserve;
    this.#tokens = reserve;
  }

  /** To be called once per call, whatever becomes of it. */
  earn(): void {
    this.#tokens = Math.min(this.#reserve, this.#tokens + this.#ratio);
  }

  /** True if one more retry is within the budget, which it then takes. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
