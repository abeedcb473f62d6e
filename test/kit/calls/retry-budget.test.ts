import { describe, expect, it } from '@jest/globals';
import { RetryBudget } from '../../../src/kit/calls/retry-budget.ts';

function retriesDuring(budget: RetryBudget, calls: number): number {
  let retries = 0;
  for (let call = 0; call < calls; call += 1) {
    budget.earn();
    if (budget.spend()) retries += 1;
  }
  return retries;
}

describe('retry budget', () => {
  it('allows the reserve, then one retry for ten calls, however long the outage', () => {
    const budget = new RetryBudget({ ratio: 0.1, reserve: 10 });

    expect(retriesDuring(budget, 10_000)).toBeLessThanOrEqual(10 + 1000);
    expect(retriesDuring(budget, 10_000)).toBeGreaterThanOrEqual(999);
  });

  it('saves up no more than the reserve in good times', () => {
    const budget = new RetryBudget({ ratio: 0.1, reserve: 3 });
    for (let call = 0; call < 10_000; call += 1) budget.earn();

    expect([1, 2, 3, 4].map(() => budget.spend())).toEqual([true, true, true, false]);
  });
});
