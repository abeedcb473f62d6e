import { describe, expect, it } from '@jest/globals';
import { CircuitBreaker } from '../../../src/kit/calls/circuit-breaker.ts';
import { createTestClock } from '../../support/test-clock.ts';

function opened() {
  const clock = createTestClock();
  const breaker = new CircuitBreaker({ clock, failureThreshold: 3, openMs: 1000 });
  for (let failures = 0; failures < 3; failures += 1) {
    expect(breaker.admit()).toBe(true);
    breaker.failed();
  }
  return { clock, breaker };
}

describe('circuit breaker', () => {
  it('opens after failures in a row, not after as many with a success between them', () => {
    const breaker = new CircuitBreaker({ clock: createTestClock(), failureThreshold: 3 });
    for (const outcome of ['failed', 'failed', 'succeeded', 'failed', 'failed'] as const) {
      expect(breaker.admit()).toBe(true);
      breaker[outcome]();
    }
    expect(breaker.admit()).toBe(true);
    breaker.failed();

    expect(breaker.admit()).toBe(false);
  });

  it('admits one probe per period, and asking whether it would does not use it up', async () => {
    const { clock, breaker } = opened();
    await clock.advance(999);
    expect(breaker.admit()).toBe(false);
    await clock.advance(1);

    expect(breaker.admits).toBe(true);
    expect(breaker.admit()).toBe(true);
    expect(breaker.admit()).toBe(false);

    breaker.failed();
    await clock.advance(999);
    expect(breaker.admits).toBe(false);
    await clock.advance(1);
    expect(breaker.admit()).toBe(true);
  });

  it('closes when the probe succeeds', async () => {
    const { clock, breaker } = opened();
    await clock.advance(1000);
    breaker.admit();
    breaker.succeeded();

    expect([breaker.admit(), breaker.admit()]).toEqual([true, true]);
  });

  it('does not put the probe off for failures of calls that were admitted before it opened', async () => {
    const { clock, breaker } = opened();
    await clock.advance(900);
    breaker.failed();
    await clock.advance(100);

    expect(breaker.admit()).toBe(true);
  });
});
