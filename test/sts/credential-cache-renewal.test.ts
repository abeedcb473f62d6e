import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CacheFixture,
  type CacheFixtureOptions,
  startCacheFixture,
  theCall,
} from '../support/cache-fixture.ts';
import { failure } from '../support/scripted-sts.ts';
import { planned } from '../support/session-plans.ts';
import { refusalOf } from '../support/sts-fixture.ts';

const fixtures: CacheFixture[] = [];
async function start(options?: CacheFixtureOptions): Promise<CacheFixture> {
  const fixture = await startCacheFixture(options);
  fixtures.push(fixture);
  return fixture;
}
afterEach(async () => {
  await Promise.all(fixtures.splice(0).map((fixture) => fixture.stop()));
});

const { plan, token } = theCall;
const second = 1000;
const minute = 60 * second;
/** An hour's session with random 0.5 is due at 62.5 % of its life. */
const dueMs = 37.5 * minute;

describe('renewal in the background', () => {
  it('happens once for any number of requests, and nobody waits for it', async () => {
    const { ask, clock, server, hold, count, renewalsEnded } = await start();
    await ask();
    await clock.advance(dueMs - 1);
    await ask();
    expect(server.calls).toHaveLength(1);

    const release = hold();
    await clock.advance(1);
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask()));
    expect(new Set(answers)).toEqual(new Set([1]));

    release();
    await renewalsEnded(1);
    await expect(ask()).resolves.toBe(2);
    expect(server.calls).toHaveLength(2);
    expect(count('renewed')).toBe(1);
  });

  it('is made with the token of the caller who asks, not with an older one', async () => {
    const { ask, clock, server, renewalsEnded } = await start();
    await ask(planned({}, 'old token'));
    const live = planned({}, 'live token');
    await clock.advance(dueMs);
    await ask(live);
    await renewalsEnded(1);

    expect(server.calls[1]?.token).toBe(live.token);
  });

  it('does not happen for an entry that nobody asks for', async () => {
    const { ask, clock, server } = await start();
    await ask();
    await clock.advance(59 * minute);

    expect(server.calls).toHaveLength(1);
  });

  it('waits for a token that lives for more than a minute', async () => {
    const { ask, clock, server, renewalsEnded } = await start();
    await ask();
    await clock.advance(dueMs);

    await ask(planned({ caller: { expiresAt: clock.now() + minute } }, 'nearly over'));
    await ask(planned({ caller: { expiresAt: clock.now() - minute } }, 'over'));
    expect(server.calls).toHaveLength(1);

    await ask(planned({ caller: { expiresAt: clock.now() + minute + 1 } }, 'alive'));
    await renewalsEnded(1);
    expect(server.calls).toHaveLength(2);
  });

  it('of entries made in the same second is spread over a fifth of their life', async () => {
    const { cache, ask, clock, renewalsEnded } = await start({
      random: Math.random,
      maxRenewals: 1000,
    });
    const calls = Array.from({ length: 100 }, (_, index) =>
      planned({ sessionName: `name-${index}`, caller: { subject: `subject-${index}` } }),
    );
    await Promise.all(calls.map((call) => ask(call)));
    const renewedAt: number[] = [];
    await clock.advance(29 * minute);
    for (let minutes = 30; minutes <= 45; minutes += 1) {
      await clock.advance(minute);
      const results = calls.map((call) => cache.issue(call.plan, call.token));
      expect(results.some((result) => result instanceof Promise)).toBe(false);
      const before = renewedAt.length;
      renewedAt.push(...Array(cache.renewals).fill(minutes));
      await renewalsEnded(before + cache.renewals);
    }

    expect(renewedAt).toHaveLength(100);
    expect(Math.max(...renewedAt) - Math.min(...renewedAt)).toBeGreaterThanOrEqual(12);
    const perMinute = renewedAt.map((at) => renewedAt.filter((other) => other === at).length);
    expect(Math.max(...perMinute)).toBeLessThan(30);
  });

  it('is bounded in number, and those left out have their turn later', async () => {
    const { ask, clock, server, hold, renewalsEnded } = await start({ maxRenewals: 2 });
    const calls = ['a', 'b', 'c'].map((name) => planned({ sessionName: `name-${name}` }));
    for (const call of calls) await ask(call);
    await clock.advance(dueMs);

    const release = hold();
    await Promise.all(calls.map((call) => ask(call)));
    release();
    await renewalsEnded(2);
    expect(server.calls).toHaveLength(3 + 2);

    await Promise.all(calls.map((call) => ask(call)));
    await renewalsEnded(3);
    expect(server.calls).toHaveLength(3 + 3);
  });

  it('that meets an outage keeps the old credentials and pauses before the next try', async () => {
    const { ask, answer, clock, server, renewalsEnded } = await start();
    await ask();
    await clock.advance(dueMs);
    answer(failure(503, 'ServiceUnavailable'));

    for (let seconds = 0; seconds < 30; seconds += 1) {
      await expect(ask()).resolves.toBe(1);
      if (seconds % 15 === 0) await renewalsEnded(1 + seconds / 15);
      await clock.advance(second);
    }
    expect(server.calls).toHaveLength(1 + 2);

    answer('honestly');
    await ask();
    await renewalsEnded(3);
    await expect(ask()).resolves.toBe(4);
  });

  it('pauses for different lengths, so that callers do not come back together', async () => {
    const pauses = await Promise.all(
      [0, 0.999].map(async (random) => {
        const { ask, answer, clock, renewalsEnded, server } = await start({ random: () => random });
        await ask();
        await clock.advance(45 * minute);
        answer(failure(503, 'ServiceUnavailable'));
        await ask();
        await renewalsEnded(1);
        answer('honestly');
        for (let seconds = 0; ; seconds += 1) {
          if ((await ask()) === 2 || server.calls.length > 2) return seconds;
          await clock.advance(second);
        }
      }),
    );

    expect(pauses).toEqual([10, 20]);
  });

  it.each([
    ['AccessDenied', 403, 'sts_access_denied'],
    ['InvalidIdentityToken', 400, 'sts_token_rejected'],
    ['IDPRejectedClaim', 403, 'sts_token_rejected'],
    ['MalformedPolicyDocument', 400, 'sts_request_rejected'],
  ])('that meets %s drops the old credentials for good (T31)', async (code, status, expected) => {
    const { cache, ask, answer, clock, count, renewalsEnded } = await start();
    await ask();
    await clock.advance(dueMs);
    answer(failure(status, code));
    await ask();
    await renewalsEnded(1);

    expect(cache.size).toBe(0);
    expect(count('withdrawn')).toBe(1);
    expect((await refusalOf(cache.issue(plan, token))).code).toBe(expected);
    answer(failure(503, 'ServiceUnavailable'));
    expect((await refusalOf(cache.issue(plan, token))).code).toBe('sts_unavailable');
  });
});

describe('renewal that callers wait for', () => {
  it('joins the one in the background', async () => {
    const { ask, clock, server, hold, renewalsEnded } = await start();
    await ask();
    await clock.advance(45 * minute);
    const release = hold();
    await ask();
    await clock.advance(1);

    const waiting = Promise.all([ask(), ask()]);
    release();

    await expect(waiting).resolves.toEqual([2, 2]);
    await renewalsEnded(1);
    expect(server.calls).toHaveLength(2);
  });

  it('that meets AccessDenied drops the old credentials, whatever STS says afterwards', async () => {
    const { cache, ask, answer, clock } = await start();
    await ask();
    await clock.advance(50 * minute);
    answer(failure(403, 'AccessDenied'));

    const refusals = await Promise.all([1, 2].map(() => refusalOf(cache.issue(plan, token))));

    expect(refusals.map(({ code }) => code)).toEqual(['sts_access_denied', 'sts_access_denied']);
    answer('reset');
    expect((await refusalOf(cache.issue(plan, token))).code).toBe('sts_unavailable');
  });

  it('fails with the error of the outage when the entry was purged meanwhile', async () => {
    const { cache, ask, answer, clock } = await start();
    await ask();
    await clock.advance(50 * minute);
    answer('reset');
    const waiting = refusalOf(cache.issue(plan, token));

    cache.purge(() => true);

    expect((await waiting).code).toBe('sts_unavailable');
  });
});
