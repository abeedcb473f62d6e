import { afterEach, describe, expect, it } from '@jest/globals';
import { CredentialCache } from '../../src/sts/credential-cache.ts';
import {
  type CacheFixture,
  type CacheFixtureOptions,
  startCacheFixture,
  theCall,
} from '../support/cache-fixture.ts';
import { portion } from '../support/fuzz-budget.ts';
import { askerOf, failure } from '../support/scripted-sts.ts';
import { planned } from '../support/session-plans.ts';
import { refusalOf } from '../support/sts-fixture.ts';
import { until } from '../support/until.ts';

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

describe('a cached session', () => {
  it('is handed out at once, as the same object, without asking STS again', async () => {
    const { cache, server, events } = await start();
    const first = await cache.issue(plan, token);

    const again = cache.issue(plan, token);

    expect(again).toMatchObject({ cached: true });
    expect(again).toHaveProperty('session', first.session);
    expect(cache.issue(plan, token)).toBe(again);
    expect(first.cached).toBe(false);
    expect(server.calls).toHaveLength(1);
    expect(events).toEqual(['miss', 'hit', 'hit']);
  });

  it('is found by a new token of the same caller', async () => {
    const { ask, server } = await start();
    await ask(planned({}, 'first token'));
    await ask(planned({}, 'second token'));

    expect(server.calls).toHaveLength(1);
  });

  it('needs one exchange for a thousand equal requests at once', async () => {
    const { cache, server, count } = await start();
    const calls = Array.from({ length: 1000 }, (_, index) => planned({}, `token ${index % 10}`));

    const results = await Promise.all(
      calls.map(async (call) => cache.issue(call.plan, call.token)),
    );

    expect(server.calls).toHaveLength(1);
    expect(new Set(results.map(({ session }) => session)).size).toBe(1);
    expect(results.filter(({ cached }) => !cached)).toHaveLength(1);
    expect([count('miss'), count('joined')]).toEqual([1, 999]);
  });
});

describe('failures (T29)', () => {
  it.each([
    [403, 'AccessDenied', 'sts_access_denied'],
    [500, 'InternalFailure', 'sts_unavailable'],
    [400, 'Throttling', 'sts_throttled'],
  ])('%i %s reaches those who wait and is forgotten', async (status, code, expected) => {
    const { cache, ask, answer, server } = await start();
    answer(failure(status, code));

    const errors = await Promise.all(
      Array.from({ length: 50 }, () => refusalOf(cache.issue(plan, token))),
    );
    expect(errors.map((error) => error.code)).toEqual(Array(50).fill(expected));
    expect(server.calls).toHaveLength(1);

    answer('honestly');
    await expect(ask()).resolves.toBe(2);
  });

  it('of another token of the same caller are not charged to this one', async () => {
    const { cache, ask, server } = await start();
    const expired = planned({}, 'expired');
    const honest = server.script;
    server.script = (call, number) =>
      call.token === expired.token ? failure(400, 'ExpiredTokenException') : honest(call, number);

    const [refused, same, ...granted] = await Promise.all([
      refusalOf(cache.issue(expired.plan, expired.token)),
      refusalOf(cache.issue(expired.plan, expired.token)),
      ...[1, 2, 3].map((number) => ask(planned({}, `good ${number}`))),
    ]);

    expect([refused.code, same.code]).toEqual(['token_expired', 'token_expired']);
    expect(granted).toEqual([2, 2, 2]);
  });

  it('of several other tokens in a row still leave each caller its own answer', async () => {
    const { cache, ask, server } = await start();
    const expired = [1, 2, 3, 4, 5, 6].map((number) => planned({}, `expired ${number}`));
    const honest = server.script;
    server.script = (call, number) =>
      expired.some((one) => one.token === call.token)
        ? failure(400, 'ExpiredTokenException')
        : honest(call, number);

    const refusals = expired.map((one) => refusalOf(cache.issue(one.plan, one.token)));
    const granted = ask(planned({}, 'good'));

    expect((await Promise.all(refusals)).map(({ code }) => code)).toEqual(
      Array(6).fill('token_expired'),
    );
    await expect(granted).resolves.toBeGreaterThan(1);
  });
});

describe('the life of a session (T32)', () => {
  const withoutRenewals = { maxRenewals: 0 };

  it.each([
    [3600, 2700],
    [43_200, 42_300],
    [900, 600],
  ])(
    'of %i s is used for %d s, then a new one is fetched',
    async (durationSeconds, usedSeconds) => {
      const { ask, clock, count } = await start(withoutRenewals);
      const call = planned({ durationSeconds });
      await ask(call);

      await clock.advance(usedSeconds * second);
      await expect(ask(call)).resolves.toBe(1);
      await clock.advance(1);
      await expect(ask(call)).resolves.toBe(2);
      expect(count('hit')).toBe(1);
    },
  );

  it('is used until 60 s before its end while STS is down, and not after', async () => {
    const { cache, ask, answer, clock, count } = await start(withoutRenewals);
    await ask();
    answer(failure(503, 'ServiceUnavailable'));

    for (let minutes = 0; minutes < 59; minutes += 1) {
      await clock.advance(minute);
      await expect(ask()).resolves.toBe(1);
    }
    expect([count('hit'), count('stale')]).toEqual([45, 14]);

    await clock.advance(1);
    expect((await refusalOf(cache.issue(plan, token))).code).toBe('sts_unavailable');
    expect(count('expired')).toBe(1);
    answer('honestly');
    await clock.advance(minute);
    await expect(ask()).resolves.toBeGreaterThan(1);
  });

  it.each([
    ['throttles', failure(400, 'Throttling')],
    ['resets connections', 'reset' as const],
    ['answers nonsense', { body: '<html>' }],
    ['cannot fetch keys', failure(400, 'IDPCommunicationError')],
  ])('is used beyond its usual end while STS %s, with a try now and then', async (_how, outage) => {
    const { ask, answer, clock, server } = await start(withoutRenewals);
    await ask();
    answer(outage);
    await clock.advance(50 * minute);

    for (let seconds = 0; seconds < 60; seconds += 1) {
      await expect(ask()).resolves.toBe(1);
      await clock.advance(second);
    }

    // Random 0.5 makes the pause 15 s.
    expect(server.calls).toHaveLength(1 + 4);
  });

  it('is not used when it ends while STS is being asked for a new one', async () => {
    const { cache, ask, answer, hold, server, clock } = await start(withoutRenewals);
    await ask();
    await clock.advance(59 * minute - 1);
    hold();
    const waiting = refusalOf(cache.issue(plan, token));
    await until(() => server.calls.length === 2);

    await clock.advance(2);
    answer('reset');
    await server.stop();

    expect((await waiting).code).toBe('sts_unavailable');
  });

  it('does not grow when the wall clock is set back', async () => {
    const fixture = await start();
    let offsetMs = 0;
    const clock = { ...fixture.clock, now: () => fixture.clock.now() + offsetMs };
    const cache = new CredentialCache({ issuer: { issue: issueOnce }, clock, maxRenewals: 0 });
    let issued = 0;
    async function issueOnce() {
      issued += 1;
      return fixture.cache.issue(plan, token);
    }
    await cache.issue(plan, token);

    await fixture.clock.advance(61 * minute);
    offsetMs = -60 * minute;
    await cache.issue(plan, token);

    expect(issued).toBe(2);
  });

  it('ends at once when the wall clock says so', async () => {
    const fixture = await start();
    let offsetMs = 0;
    const clock = { ...fixture.clock, now: () => fixture.clock.now() + offsetMs };
    const cache = new CredentialCache({ issuer: fixture.cache, clock, maxRenewals: 0 });
    await cache.issue(plan, token);
    expect(cache.issue(plan, token)).not.toBeInstanceOf(Promise);

    offsetMs = 60 * minute;

    expect(cache.issue(plan, token)).toBeInstanceOf(Promise);
  });
});

describe('bounds', () => {
  it('keep the entries that were used last', async () => {
    const { cache, ask, server, count } = await start({ maxEntries: 3 });
    const calls = ['a', 'b', 'c', 'd'].map((name) => planned({ sessionName: `name-${name}` }));
    const [a, b, , d] = calls;
    for (const call of calls.slice(0, 3)) await ask(call);
    await ask(a);
    await ask(d);

    expect(cache.size).toBe(3);
    expect(count('displaced')).toBe(1);
    await ask(a);
    expect(server.calls).toHaveLength(4);
    await ask(b);
    expect(server.calls).toHaveLength(5);
  });

  it('keep the bytes within the limit, long policies counted', async () => {
    const { cache, ask } = await start({ maxBytes: 40_000 });
    const policy = 'x'.repeat(2000);
    for (let index = 0; index < 30; index += 1) {
      await ask(planned({ sessionName: `name-${index}`, policy }));
    }

    expect(cache.size).toBeGreaterThanOrEqual(2);
    expect(cache.size).toBeLessThanOrEqual(40_000 / 4000);
  });

  it('T67: of one caller displace nobody else, whatever the caller thinks of', async () => {
    const { cache, ask, server, count } = await start({ maxEntries: 100, maxEntriesPerCaller: 4 });
    const others = Array.from({ length: 20 }, (_, index) =>
      planned({ caller: { subject: `other-${index}` } }),
    );
    for (const other of others) await ask(other);
    const plans = portion(120);
    for (let index = 0; index < plans; index += 1) {
      await ask(planned({ durationSeconds: 900 + index }));
      await ask(planned({ policy: `{"a":${index}}` }));
      await ask(planned({ sessionName: `name-${index}`, caller: { sessionClaims: `${index}` } }));
    }

    expect([cache.size, count('displaced')]).toEqual([24, 0]);
    expect(count('surplus')).toBe(3 * plans - 4);
    const before = server.calls.length;
    for (const other of others) await ask(other);
    expect(server.calls).toHaveLength(before);
  });

  it('T67: of one caller count what is there: renewed, purged and too large ones make no room twice', async () => {
    const { cache, ask, count } = await start({ maxEntriesPerCaller: 2, maxBytes: 20_000 });
    const [one, two, three] = [901, 902, 903].map((durationSeconds) =>
      planned({ durationSeconds }),
    );
    await ask(one);
    await ask(two);
    await ask(planned({ policy: 'x'.repeat(20_000) }));
    expect([cache.size, count('surplus')]).toEqual([2, 0]);
    cache.purge(({ durationSeconds }) => durationSeconds === 901);
    await ask(three);
    expect([cache.size, count('surplus')]).toEqual([2, 0]);
    await ask(one);
    expect([cache.size, count('surplus')]).toEqual([2, 1]);
  });

  it('let a session through that is too large to be kept', async () => {
    const { cache, ask } = await start({ maxBytes: 100 });

    await expect(ask()).resolves.toBe(1);
    await expect(ask()).resolves.toBe(2);
    expect(cache.size).toBe(0);
  });
});

describe('a purge (T31)', () => {
  it('drops what matches and leaves the rest', async () => {
    const { cache, ask, count } = await start();
    const alice = planned({ caller: { subject: 'alice-subject' } });
    await ask(alice);
    await ask();

    expect(cache.purge(({ caller }) => caller.subject === 'alice-subject')).toBe(1);

    expect([cache.size, count('purged')]).toEqual([1, 1]);
    await expect(ask(alice)).resolves.toBe(3);
    await expect(ask()).resolves.toBe(2);
  });

  it('keeps nothing of an exchange that was under way', async () => {
    const { cache, hold, server } = await start();
    const release = hold();
    const waiting = cache.issue(plan, token);
    await until(() => server.calls.length === 1);

    expect(cache.purge(() => true)).toBe(0);
    release();

    const { session } = await waiting;
    expect(askerOf(session.credentials.sessionToken).number).toBe(1);
    expect(cache.size).toBe(0);
  });

  it('T66: keeps nothing of a request that was decided before it and exchanged after', async () => {
    const { cache, hold, server } = await start();
    const release = hold();
    const leader = planned({}, 'refused');
    const honest = server.script;
    server.script = async (call, number) => {
      const answered = await honest(call, number);
      return call.token === leader.token ? failure(403, 'AccessDenied') : answered;
    };
    const refused = refusalOf(cache.issue(leader.plan, leader.token));
    const waiting = cache.issue(plan, token);
    await until(() => server.calls.length === 1);

    cache.purge(() => true);
    release();

    expect((await refused).code).toBe('sts_access_denied');
    await waiting;
    expect(cache.size).toBe(0);
  });
});
