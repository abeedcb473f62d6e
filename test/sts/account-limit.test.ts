import { afterEach, describe, expect, it } from '@jest/globals';
import { AccountLimit } from '../../src/sts/account-limit.ts';
import { CredentialCache } from '../../src/sts/credential-cache.ts';
import { failure, honestly } from '../support/scripted-sts.ts';
import { type PlannedCall, planned } from '../support/session-plans.ts';
import { noRetries, refusalOf, type StsFixture, startStsFixture } from '../support/sts-fixture.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

const fixtures: StsFixture[] = [];
afterEach(async () => {
  await Promise.all(fixtures.splice(0).map((fixture) => fixture.stop()));
});

const rate = { perSecond: 10, burst: 20 };

/** The cache, the limit, the real adapter and the real SDK, in front of a scripted STS. */
async function start(clock: TestClock = createTestClock()) {
  const sts = await startStsFixture({ clock, maxInFlight: 1000, ...noRetries });
  fixtures.push(sts);
  await clock.advance(1);
  let refused = 0;
  const limit = new AccountLimit({
    issuer: sts.adapter,
    rate,
    clock,
    onRefused: () => {
      refused += 1;
    },
  });
  const cache = new CredentialCache({ issuer: limit, clock, random: () => 0.5 });
  let asked = 0;
  /** For sessions that nobody has asked for before: the codes of the answers. */
  const askForNew = async (sessions: number, account = '123456789012') => {
    const outcomes: string[] = [];
    for (let count = 0; count < sessions; count += 1) {
      asked += 1;
      const { plan, token } = inAccount(account, asked);
      outcomes.push(await outcomeOf(cache, { plan, token }));
    }
    return outcomes;
  };
  return {
    clock,
    cache,
    server: sts.servers[0],
    askForNew,
    get refused() {
      return refused;
    },
  };
}

/** Of a caller of its own, unless told otherwise. */
function inAccount(account: string, number: number, subject = `caller-${number}`): PlannedCall {
  return planned({
    caller: { subject },
    roleArn: `arn:aws:iam::${account}:role/broker/orders-writer`,
    sessionName: `session-${number}`,
  });
}

function outcomeOf(cache: CredentialCache, { plan, token }: PlannedCall): Promise<string> {
  return Promise.resolve(cache.issue(plan, token)).then(
    () => 'issued',
    (error: { code: string }) => error.code,
  );
}

const counted = (outcomes: readonly string[], outcome: string) =>
  outcomes.filter((one) => one === outcome).length;

describe('the limit of an account (T46)', () => {
  it('sends STS no more than the burst and the rate', async () => {
    const { server, askForNew, clock } = await start();
    expect(counted(await askForNew(50), 'issued')).toBe(20);
    await clock.advance(1000);
    expect(counted(await askForNew(50), 'issued')).toBe(10);
    expect(server.calls).toHaveLength(30);
  });

  it('does not concern the roles of other accounts', async () => {
    const { askForNew } = await start();
    expect(counted(await askForNew(30), 'sts_throttled')).toBe(10);
    expect(counted(await askForNew(20, '210987654321'), 'issued')).toBe(20);
  });

  it('says when the next exchange will be made, and makes it then', async () => {
    const { cache, askForNew, clock } = await start();
    await askForNew(20);
    const { plan, token } = inAccount('123456789012', 1000);
    const {
      code,
      status,
      reason,
      retryAfterSeconds = 0,
    } = await refusalOf(cache.issue(plan, token));
    expect([code, status, reason]).toEqual(['sts_throttled', 503, 'account_limit']);
    expect(retryAfterSeconds).toBe(1);
    await clock.advance(retryAfterSeconds * 1000);
    expect(await outcomeOf(cache, { plan, token })).toBe('issued');
  });

  it('takes nothing from those whose session is cached', async () => {
    const { cache, askForNew, server } = await start();
    const known = inAccount('123456789012', 1);
    await askForNew(20);
    expect(await askForNew(1)).toEqual(['sts_throttled']);
    const calls = server.calls.length;
    for (let times = 0; times < 100; times += 1) {
      expect(await outcomeOf(cache, known)).toBe('issued');
    }
    expect(server.calls).toHaveLength(calls);
  });

  it('serves a session beyond its usual end when it cannot be renewed now', async () => {
    const { cache, askForNew, clock } = await start();
    const live = inAccount('123456789012', 1);
    await askForNew(1);
    await clock.advance(46 * 60_000);
    await askForNew(20);
    expect(await outcomeOf(cache, live)).toBe('issued');
    await clock.advance(60_000);
    expect(await outcomeOf(cache, live)).toBe('issued');
  });
});

describe('one caller (T46)', () => {
  const ofOne = (number: number, account = '123456789012') =>
    inAccount(account, number, 'the noisy one');

  it('gets half of what an account has, however many sessions it thinks of', async () => {
    const { cache, askForNew, clock } = await start();
    const noisy: string[] = [];
    for (let at = 0; at < 30; at += 1) noisy.push(await outcomeOf(cache, ofOne(at)));
    expect(counted(noisy, 'issued')).toBe(10);
    expect(counted(await askForNew(10), 'issued')).toBe(10);

    await clock.advance(1000);
    for (let at = 100; at < 130; at += 1) noisy.push(await outcomeOf(cache, ofOne(at)));
    expect(counted(noisy, 'issued')).toBe(15);
    expect(counted(await askForNew(5), 'issued')).toBe(5);
  });

  it('is told when to come back, and gets it then', async () => {
    const { cache, clock } = await start();
    for (let at = 0; at < 10; at += 1) await outcomeOf(cache, ofOne(at));
    const { plan, token } = ofOne(10);
    const { code, reason, retryAfterSeconds = 0 } = await refusalOf(cache.issue(plan, token));
    expect([code, reason]).toEqual(['sts_throttled', 'account_limit_of_caller']);
    await clock.advance(retryAfterSeconds * 1000);
    expect(await outcomeOf(cache, { plan, token })).toBe('issued');
  });

  it('has a share of its own in each account', async () => {
    const { cache } = await start();
    for (let at = 0; at < 12; at += 1) await outcomeOf(cache, ofOne(at));
    expect(await outcomeOf(cache, ofOne(0, '210987654321'))).toBe('issued');
  });
});

describe('when STS throttles (T46)', () => {
  it('an account is asked half as often, and a quarter when it does so again', async () => {
    const { server, askForNew, clock } = await start();
    const throttled = () => failure(400, 'Throttling');
    server.script = throttled;
    expect(await askForNew(1)).toEqual(['sts_throttled']);
    server.script = honestly(clock);
    expect(counted(await askForNew(50), 'issued')).toBe(5);
    await clock.advance(1000);
    expect(counted(await askForNew(50), 'issued')).toBe(5);

    server.script = throttled;
    await clock.advance(1000);
    expect(await askForNew(1)).toEqual(['sts_throttled']);
    server.script = honestly(clock);
    expect(counted(await askForNew(50), 'issued')).toBe(2);
    await clock.advance(1000);
    expect(counted(await askForNew(50), 'issued')).toBe(3);
  });

  it('answers that were under way together count once', async () => {
    const { server, cache, askForNew, clock } = await start();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    server.script = async () => {
      await held;
      return failure(400, 'Throttling');
    };
    const together = Array.from({ length: 15 }, (_, at) =>
      outcomeOf(cache, inAccount('123456789012', 500 + at)),
    );
    await until(() => server.calls.length === 15);
    release();
    expect(counted(await Promise.all(together), 'sts_throttled')).toBe(15);

    server.script = honestly(clock);
    expect(counted(await askForNew(50), 'issued')).toBe(5);
  });

  it('the full rate is back after a minute', async () => {
    const { server, askForNew, clock } = await start();
    server.script = () => failure(400, 'Throttling');
    await askForNew(1);
    server.script = honestly(clock);
    await clock.advance(60_000);
    await askForNew(50);
    await clock.advance(1000);
    expect(counted(await askForNew(50), 'issued')).toBe(10);
  });

  it('other failures of STS slow nothing down', async () => {
    const { server, askForNew, clock } = await start();
    server.script = () => failure(403, 'AccessDenied');
    expect(counted(await askForNew(10), 'sts_access_denied')).toBe(10);
    server.script = honestly(clock);
    expect(counted(await askForNew(50), 'issued')).toBe(10);
  });
});

describe('renewals in the background (T46)', () => {
  it('leave half of the burst to callers who wait', async () => {
    const fixture = await start();
    const { cache, askForNew, clock, server } = fixture;
    await askForNew(20);
    const sessions = Array.from({ length: 20 }, (_, at) => inAccount('123456789012', at + 1));
    // Due, and the bucket is full again.
    await clock.advance(40 * 60_000);
    const calls = server.calls.length;
    for (const session of sessions) expect(await outcomeOf(cache, session)).toBe('issued');
    await until(() => cache.renewals === 0);
    const renewed = server.calls.length - calls;
    expect([renewed, fixture.refused]).toEqual([11, 9]);

    expect(counted(await askForNew(20), 'issued')).toBe(9);
  });

  it('are made in the end, for callers who go on asking', async () => {
    const { cache, askForNew, clock, server } = await start();
    await askForNew(20);
    const sessions = Array.from({ length: 20 }, (_, at) => inAccount('123456789012', at + 1));
    await clock.advance(40 * 60_000);
    const calls = server.calls.length;
    for (let seconds = 0; seconds < 60; seconds += 1) {
      for (const session of sessions) expect(await outcomeOf(cache, session)).toBe('issued');
      await until(() => cache.renewals === 0);
      await clock.advance(1000);
    }
    expect(server.calls.length - calls).toBe(20);
  });
});
