/**
 * How many changes a transaction takes at present. DynamoDB may throttle one as a whole for as long as it is so large, on a table
 * with little capacity above all: half as many go at once then, and one more after each that it took.
 */

import { maxEditsAtOnce } from '../dynamodb/transaction-items.ts';

export class WritePace {
  #atOnce = maxEditsAtOnce;

  get atOnce(): number {
    return this.#atOnce;
  }

  /** @param sent how many there were */
  throttled(sent: number): void {
    this.#atOnce = Math.max(1, Math.floor(sent / 2));
  }

  taken(): void {
    this.#atOnce = Math.min(maxEditsAtOnce, this.#atOnce + 1);
  }
}
