/** Too much of anything: who asks too often is refused, nobody else is, and the answer says when to come back. */

import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type BrokerFixture,
  type BrokerFixtureOptions,
  startBrokerFixture,
} from '../support/broker-fixture.ts';
import type { Answer, Call } from '../support/http-call.ts';
import { allow, clients, defaultMappings } from '../support/outside-world.ts';
import { sendRaw } from '../support/raw-http.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

const started: BrokerFixture[] = [];
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});

interface Setting {
  readonly limits?: NonNullable<
    Parameters<NonNullable<BrokerFixtureOptions['configure']>>[0]['limits']
  >;
  readonly sts?: object;
  readonly options?: Partial<BrokerFixtureOptions>;
}

async function start({ limits = {}, sts = {}, options = {} }: Setting) {
  const clock = createTestClock(Date.now());
  const broker = await startBrokerFixture({
    clock,
    configure: (config) => ({ ...config, limits, sts: { ...config.sts, ...sts } }),
    ...options,
  });
  started.push(broker);
  return { broker, clock };
}

const summary = ({ status, body }: Answer) => (status === 200 ? '200' : `${status} ${body.code}`);

async function refusals(broker: BrokerFixture): Promise<Record<string, number>> {
  const counted = [...(await broker.metrics())].flatMap(([series, value]) => {
    const [, limit] = /^tokenbroker_limit_refusals_total\{limit="(\w+)"\}$/.exec(series) ?? [];
    return limit === undefined || value === 0 ? [] : [[limit, value] as const];
  });
  return Object.fromEntries(counted);
}

/** Waits as long as the answer says, and not longer. */
async function waitAsTold({ headers }: Answer, clock: TestClock): Promise<void> {
  const seconds = Number(headers['retry-after']);
  expect(seconds).toBeGreaterThanOrEqual(1);
  await clock.advance(seconds * 1000);
}

async function outcomes(times: number, ask: () => Promise<Answer>): Promise<string[]> {
  const seen: string[] = [];
  for (let count = 0; count < times; count += 1) seen.push(summary(await ask()));
  return seen;
}

describe('a caller that asks too often (T43)', () => {
  const limits = { perCaller: { perSecond: 1, burst: 3 } };

  it('is refused, whatever token it sends, and nobody else is', async () => {
    const { broker } = await start({ limits });
    expect(await outcomes(5, () => broker.issue('orders'))).toEqual([
      '200',
      '200',
      '200',
      '429 rate_limited',
      '429 rate_limited',
    ]);
    expect(summary(await broker.issue('reports', { role: 'reports-reader' }))).toBe('200');
    expect(await refusals(broker)).toEqual({ caller: 2 });
  });

  it('is told when to come back, and is let in then', async () => {
    const { broker, clock } = await start({ limits });
    await outcomes(3, () => broker.issue('orders'));
    const answer = await broker.issue('orders');
    expect(answer.headers).toMatchObject({
      'retry-after': '1',
      'ratelimit-policy': '"caller";q=3;w=3',
      ratelimit: '"caller";r=0;t=1',
      'content-type': 'application/problem+json',
    });
    expect(answer.body).toMatchObject({ status: 429, code: 'rate_limited' });
    await waitAsTold(answer, clock);
    expect(await outcomes(2, () => broker.issue('orders'))).toEqual(['200', '429 rate_limited']);
  });

  it('has what it is refused put on record, with its name', async () => {
    const { broker } = await start({ limits });
    await outcomes(3, () => broker.issue('orders'));
    const record = broker.auditRecordOf(await broker.issue('orders'));
    expect(record).toMatchObject({
      outcome: 'denied',
      code: 'rate_limited',
      reason: 'caller',
      token: { clientId: clients.orders.clientId },
    });
    expect(record['mapping']).toBe(undefined);
  });

  it('is refused by every route of the api listener together', async () => {
    const { broker } = await start({ limits });
    const token = broker.token('orders');
    const caller = { path: '/v1/caller', token };
    await outcomes(2, () => broker.call(caller));
    expect(summary(await broker.issue('orders'))).toBe('200');
    expect(summary(await broker.call(caller))).toBe('429 rate_limited');
    const container = await broker.call({ path: '/v1/credentials', token });
    expect([container.status, container.headers['retry-after']]).toEqual([429, '1']);
  });

  it('may be an administrator all the same', async () => {
    const { broker } = await start({ limits });
    await outcomes(4, () => broker.issue('admin'));
    const admin = { listener: 'admin', path: '/v1/role-mappings', token: broker.token('admin') };
    expect(summary(await broker.call(admin as Call))).toBe('200');
  });
});

describe('an address that sends bad tokens (T43)', () => {
  const limits = { failedTokensPerAddress: { perSecond: 1, burst: 3 } };
  const forged = (broker: BrokerFixture) => {
    const [header, payload, signature = ''] = broker.token('reports').split('.');
    return [header, payload, [...signature].reverse().join('')].join('.');
  };
  const ask = (broker: BrokerFixture, token: string) =>
    broker.call({ method: 'POST', path: '/v1/credentials', token });

  it('has no further one looked at, and those whose token is known do not notice', async () => {
    const { broker } = await start({ limits });
    const known = broker.token('orders');
    expect(summary(await ask(broker, known))).toBe('200');

    const seen = await outcomes(10, () => ask(broker, forged(broker)));
    expect(seen.slice(0, 3).every((one) => one.startsWith('401 token_'))).toBe(true);
    expect(new Set(seen.slice(3))).toEqual(new Set(['429 rate_limited']));
    expect(await outcomes(3, () => ask(broker, known))).toEqual(['200', '200', '200']);
    expect(await refusals(broker)).toEqual({ failed_tokens: 7 });
  });

  it.each([
    ['with the form of a token', 'a.b.c'],
    ['without it', 'nothing'],
  ])('counts once for the same one, however often it comes: %s (T195)', async (_form, token) => {
    const { broker } = await start({ limits });
    expect(new Set(await outcomes(10, () => ask(broker, token)))).toEqual(
      new Set(['401 token_malformed']),
    );
    expect(await refusals(broker)).toEqual({});
    const others = await outcomes(4, () => ask(broker, forged(broker)));
    expect(others.slice(2)).toEqual(['429 rate_limited', '429 rate_limited']);
    expect(others.slice(0, 2).every((one) => one.startsWith('401 token_'))).toBe(true);
    expect(await refusals(broker)).toEqual({ failed_tokens: 2 });
  });

  it('is told when to come back, and has a good token accepted then', async () => {
    const { broker, clock } = await start({ limits });
    await outcomes(3, () => ask(broker, forged(broker)));
    const token = broker.token('orders');
    const answer = await ask(broker, token);
    expect(answer.headers).toMatchObject({
      'retry-after': '1',
      ratelimit: '"failed_tokens";r=0;t=1',
    });
    expect(broker.auditRecordOf(answer)).toMatchObject({
      outcome: 'denied',
      code: 'rate_limited',
      reason: 'failed_tokens',
    });
    await waitAsTold(answer, clock);
    expect(summary(await ask(broker, token))).toBe('200');
  });

  it('is charged for bad tokens only', async () => {
    const { broker } = await start({ limits });
    expect(new Set(await outcomes(10, () => broker.issue('orders')))).toEqual(new Set(['200']));
    expect(new Set(await outcomes(10, () => broker.issue('stranger')))).toEqual(
      new Set(['403 access_denied']),
    );
    expect(await refusals(broker)).toEqual({});
  });

  it('is not charged for keys that cannot be fetched', async () => {
    const { broker } = await start({
      limits,
      options: { beforeStart: ({ issuer }) => issuer.setFault({ kind: 'status', status: 500 }) },
    });
    expect(new Set(await outcomes(6, () => broker.issue('orders')))).toEqual(
      new Set(['503 keys_unavailable']),
    );
  });

  it('has one record for all its further tokens, however different they are (T55)', async () => {
    const { broker } = await start({ limits });
    const headers = { 'user-agent': 'one flood' };
    const flood = () =>
      broker.call({ method: 'POST', path: '/v1/credentials', token: forged(broker), headers });
    await outcomes(4, flood);
    expect(new Set(await outcomes(20, flood))).toEqual(new Set(['429 rate_limited']));

    const records = broker.auditRecords().filter(({ code }) => code === 'rate_limited');
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ reason: 'failed_tokens', sourceIp: '127.0.0.1' });
    expect(records[0]).not.toHaveProperty('token');
  });

  it('is counted for the admin listener by itself: a flood elsewhere keeps no administrator out', async () => {
    const { broker } = await start({ limits });
    await outcomes(4, () => ask(broker, forged(broker)));
    expect(summary(await ask(broker, forged(broker)))).toBe('429 rate_limited');
    const list = { listener: 'admin', path: '/v1/role-mappings' } as const;
    expect(summary(await broker.call({ ...list, token: broker.token('admin') }))).toBe('200');
  });

  it('is refused on the admin listener as well, and as a token to explain', async () => {
    const { broker } = await start({ limits });
    const admin = broker.token('admin');
    const list = { listener: 'admin', path: '/v1/role-mappings' } as const;
    expect(summary(await broker.call({ ...list, token: admin }))).toBe('200');
    const explain = () =>
      broker.call({
        listener: 'admin',
        method: 'POST',
        path: '/v1/explain',
        token: admin,
        body: { token: forged(broker) },
      });
    expect(summary(await explain())).toBe('200');
    await outcomes(2, () => broker.call({ ...list, token: forged(broker) }));
    expect(summary(await broker.call({ ...list, token: forged(broker) }))).toBe('429 rate_limited');
    expect(summary(await explain())).toBe('429 rate_limited');
    expect(summary(await broker.call({ ...list, token: admin }))).toBe('200');
  });

  it('is the one that a trusted proxy vouches for', async () => {
    const { broker } = await start({
      options: {
        configure: (config) => ({
          ...config,
          limits,
          http: { ...config.http, trustedProxies: ['127.0.0.0/8'] },
        }),
      },
    });
    const from = (address: string, token: string) =>
      broker.call({
        method: 'POST',
        path: '/v1/credentials',
        token,
        headers: { 'x-forwarded-for': address },
      });
    // Every address of one /64 is one client's.
    for (const host of ['1', '2', '3']) await from(`2001:db8::${host}`, forged(broker));
    expect(summary(await from('2001:db8::4', broker.token('orders')))).toBe('429 rate_limited');
    expect(summary(await from('2001:db8:0:1::4', broker.token('orders')))).toBe('200');
    expect(summary(await from('192.0.2.1', broker.token('orders')))).toBe('200');
  });
});

describe('who has not sent the bad tokens of an address (T72)', () => {
  const limits = { failedTokensPerAddress: { perSecond: 1, burst: 3 } };
  const forged = (
    broker: BrokerFixture,
    whose: 'reports' | 'orders',
    options: Parameters<BrokerFixture['token']>[1] = {},
  ) => {
    const [header, payload, signature = ''] = broker.token(whose, options).split('.');
    return [header, payload, `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`].join(
      '.',
    );
  };
  const ask = (broker: BrokerFixture, token: string, from?: string) =>
    broker.call({
      method: 'POST',
      path: '/v1/credentials',
      token,
      ...(from === undefined ? {} : { headers: { 'x-forwarded-for': from } }),
    });
  const behindProxy = (more: object) => ({
    options: {
      configure: (config: Parameters<NonNullable<BrokerFixtureOptions['configure']>>[0]) => ({
        ...config,
        limits: { ...limits, ...more },
        http: { ...config.http, trustedProxies: ['127.0.0.0/8'] },
      }),
    },
  });

  it('has a new token accepted while the address is limited, if one was verified before', async () => {
    const { broker } = await start({ limits });
    expect(summary(await ask(broker, broker.token('orders')))).toBe('200');
    await outcomes(5, () => ask(broker, forged(broker, 'reports')));
    expect(summary(await ask(broker, broker.token('reports')))).toBe('429 rate_limited');
    const seen = await outcomes(20, () => ask(broker, broker.token('orders')));
    expect(new Set(seen)).toEqual(new Set(['200']));
  });

  it('has a budget for that, which tokens that only claim to be of it use up, and then waits as told', async () => {
    const { broker, clock } = await start({ limits });
    await ask(broker, broker.token('orders'));
    await outcomes(3, () => ask(broker, forged(broker, 'reports')));
    const seen = await outcomes(10, () => ask(broker, forged(broker, 'orders')));
    expect(seen.filter((one) => one === '401 token_signature_invalid')).toHaveLength(5);
    const waiting = await ask(broker, broker.token('orders'));
    expect(summary(waiting)).toBe('429 rate_limited');
    await waitAsTold(waiting, clock);
    expect(summary(await ask(broker, broker.token('orders')))).toBe('200');
  });

  it('does not wait for one bad token that is sent over and over', async () => {
    const { broker } = await start({ limits });
    const bad = forged(broker, 'reports');
    const seen = await outcomes(50, () => ask(broker, bad));
    expect(new Set(seen)).toEqual(new Set(['401 token_signature_invalid']));
    expect(summary(await ask(broker, broker.token('orders')))).toBe('200');
  });

  it('does not wait for one expired token, or for a few, of a client that does not renew', async () => {
    const { broker, clock } = await start({ limits });
    const old = Array.from({ length: 15 }, () =>
      broker.token('reports', { expiresInSeconds: 300 }),
    );
    await clock.jump(600_000);
    const [first = ''] = old;
    const same = await outcomes(130, () => ask(broker, first));
    expect(new Set(same)).toEqual(new Set(['401 token_expired']));
    for (const token of old) expect(summary(await ask(broker, token))).toBe('401 token_expired');
    expect(summary(await ask(broker, broker.token('orders')))).toBe('200');
  });

  it('T122: waits for expired tokens that somebody made up as for all others', async () => {
    const { broker, clock } = await start({ limits });
    const expired = Array.from({ length: 10 }, () =>
      forged(broker, 'reports', { expiresInSeconds: 300 }),
    );
    await clock.jump(600_000);
    const seen: string[] = [];
    for (const token of expired) seen.push(summary(await ask(broker, token)));
    expect(seen.filter((one) => one === '401 token_expired')).toHaveLength(3);
    expect(seen.at(-1)).toBe('429 rate_limited');
  });

  it('is told from others in the same /64 where the configuration counts by whole addresses', async () => {
    const { broker } = await start(behindProxy({ addressBitsIpv6: 128 }));
    await outcomes(4, () => ask(broker, forged(broker, 'reports'), '2001:db8::1'));
    expect(summary(await ask(broker, broker.token('orders'), '2001:db8::1'))).toBe(
      '429 rate_limited',
    );
    expect(summary(await ask(broker, broker.token('orders'), '2001:db8::2'))).toBe('200');
  });

  it('is not told from others in a network that the configuration counts as one', async () => {
    const { broker } = await start(behindProxy({ addressBitsIpv4: 24 }));
    await outcomes(4, () => ask(broker, forged(broker, 'reports'), '192.0.2.1'));
    expect(summary(await ask(broker, broker.token('orders'), '192.0.2.200'))).toBe(
      '429 rate_limited',
    );
    expect(summary(await ask(broker, broker.token('orders'), '192.0.3.1'))).toBe('200');
  });
});

describe('more requests than may be answered at once (T43)', () => {
  it('are refused while STS hangs, nothing else is affected, and it is over with the outage', async () => {
    const { broker } = await start({
      limits: { maxInFlight: 2 },
      options: {
        clock: undefined as never,
        configure: (config) => ({
          ...config,
          limits: { maxInFlight: 2 },
          sts: { ...config.sts, requestTimeoutMs: 1000, totalTimeoutMs: 1000 },
        }),
      },
    });
    broker.sts.setFault({ kind: 'hang' });
    const waiting = ['reports-reader', 'reports-publisher'].map((role) =>
      broker.issue('reports', { role }),
    );
    const inFlight = async () =>
      (await broker.metrics()).get('tokenbroker_http_requests_in_flight') ?? 0;
    // The request for the metrics is one itself.
    while ((await inFlight()) < 3);

    const refused = await broker.issue('orders');
    expect([summary(refused), refused.headers['retry-after']]).toEqual(['503 overloaded', '1']);
    expect((await broker.call({ listener: 'ops', path: '/readyz' })).status).toBe(200);
    const admin = { listener: 'admin', path: '/v1/role-mappings', token: broker.token('admin') };
    expect(summary(await broker.call(admin as Call))).toBe('200');

    expect((await Promise.all(waiting)).map(summary)).toEqual(Array(2).fill('503 sts_unavailable'));
    broker.sts.setFault(undefined);
    expect(summary(await broker.issue('orders'))).toBe('200');
    expect(await refusals(broker)).toEqual({ in_flight: 1 });
    const known = broker.auditRecords().map(({ requestId }) => requestId);
    expect(known).not.toContain(refused.requestId);
  });
});

describe('an event loop that is late (T43)', () => {
  async function startLate() {
    const load = { delayMs: 0 };
    const { broker, clock } = await start({
      options: { eventLoopDelayMs: () => load.delayMs },
    });
    const tokens = { noisy: broker.token('orders'), quiet: broker.token('stranger') };
    const ask = (who: keyof typeof tokens) =>
      broker.call({ path: '/v1/caller', token: tokens[who] });
    await ask('noisy');
    await ask('quiet');
    return { broker, clock, load, ask, tokens };
  }

  const second = 1000;

  it('makes the broker refuse the busiest callers first, and readiness and administration go on', async () => {
    const { broker, clock, load, ask } = await startLate();
    load.delayMs = 500;
    await clock.advance(300);
    expect(new Set(await outcomes(20, () => ask('noisy')))).toEqual(new Set(['200']));
    await clock.advance(100);

    const noisy = await outcomes(20, () => ask('noisy'));
    expect(noisy).toEqual([...Array(10).fill('200'), ...Array(10).fill('503 overloaded')]);
    expect(await outcomes(3, () => ask('quiet'))).toEqual(['200', '200', '200']);

    expect((await broker.call({ listener: 'ops', path: '/readyz' })).text).not.toContain('[-]');
    const admin = { listener: 'admin', path: '/v1/role-mappings', token: broker.token('admin') };
    expect(await outcomes(20, () => broker.call(admin as Call))).toEqual(Array(20).fill('200'));
    expect(await refusals(broker)).toEqual({ event_loop: 10 });
    const shedding = broker.logs.filter(({ msg = '' }) => msg.includes('refused unread'));
    expect(shedding).toHaveLength(1);

    load.delayMs = 0;
    for (let waited = 0; waited < 5; waited += 1) await clock.advance(second);
    expect(new Set(await outcomes(40, () => ask('noisy')))).toEqual(new Set(['200']));
  });

  it('lets tokens that nobody knows count as one caller, however many there are', async () => {
    const { clock, load, ask, broker } = await startLate();
    const unknown = () => broker.issue('orders');
    load.delayMs = 500;
    await clock.advance(300);
    await outcomes(8, unknown);
    await clock.advance(100);
    const seen = await outcomes(8, unknown);
    expect(seen).toEqual([...Array(4).fill('200'), ...Array(4).fill('503 overloaded')]);
    expect(summary(await ask('quiet'))).toBe('200');
  });

  it('has requests refused in every wire form, and keeps the connection where that is safe', async () => {
    const { broker, clock, load, tokens } = await startLate();
    load.delayMs = 500;
    await clock.advance(300);
    const form = {
      method: 'POST',
      path: '/sts',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
    };
    const container = { path: '/v1/credentials', token: tokens.noisy };
    const rest = { method: 'POST', path: '/v1/credentials', token: tokens.noisy, body: {} };
    // Down to where nearly nobody is let in.
    for (let samples = 0; samples < 12; samples += 1) {
      for (const call of [form, container, rest]) await broker.call(call);
      await clock.advance(100);
    }
    const refused = async (call: Call): Promise<Answer> => {
      let answer = await broker.call(call);
      while (answer.headers['retry-after'] === undefined) answer = await broker.call(call);
      return answer;
    };
    expect(await refused(form)).toMatchObject({
      text: expect.stringContaining('<Code>Throttling</Code>'),
      headers: { 'retry-after': '1', 'content-type': 'text/xml' },
    });
    expect(await refused(container)).toMatchObject({
      headers: { 'retry-after': '1', 'content-type': 'application/json' },
    });
    const { text, requestId, headers } = await refused(rest);
    expect(headers).toMatchObject({ 'retry-after': '1' });
    expect(text.split(String(requestId))).toHaveLength(2);

    const raw = (framing: string, body: string) =>
      `POST /v1/credentials HTTP/1.1\r\nHost: broker\r\n${framing}\r\n\r\n${body}`;
    const plain = raw('Content-Length: 2', '{}');
    const kept = await sendRaw(broker.urls.api, plain + plain, { answers: 2 });
    expect(kept.answers.map(({ status }) => status)).toEqual([503, 503]);
    const chunked = raw('Transfer-Encoding: chunked', '2\r\n{}\r\n0\r\n\r\n');
    const cut = await sendRaw(broker.urls.api, chunked + plain);
    expect([cut.answers.map(({ status }) => status), cut.closed]).toEqual([[503], true]);
  });
});

describe('too many sessions in one account (T46)', () => {
  it('are refused before STS is asked, with the time to come back', async () => {
    const { broker, clock } = await start({
      sts: { perAccount: { perSecond: 2, burst: 4 } },
      options: {
        mappings: [...defaultMappings, allow('reports-archiver', 'reports')],
      },
    });
    const roles = ['reports-reader', 'reports-publisher', 'reports-archiver'];
    for (const role of roles.slice(0, 2)) {
      expect(summary(await broker.issue('reports', { role }))).toBe('200');
    }
    const answer = await broker.issue('reports', { role: roles[2] });
    expect([summary(answer), answer.headers['retry-after']]).toEqual(['503 sts_throttled', '1']);
    expect(broker.auditRecordOf(answer)).toMatchObject({
      outcome: 'failed',
      code: 'sts_throttled',
      reason: 'account_limit_of_caller',
    });
    expect(broker.sts.requests).toHaveLength(2);
    expect(summary(await broker.issue('reports', { role: roles[0] }))).toBe('200');
    expect(await refusals(broker)).toEqual({ sts_account: 1 });

    await waitAsTold(answer, clock);
    expect(summary(await broker.issue('reports', { role: roles[2] }))).toBe('200');
  });
});

describe('one caller who asks for ever new sessions', () => {
  it('T109: keeps places for others while STS is slow', async () => {
    const maxDurationSeconds = 43_200;
    const { broker, clock } = await start({
      sts: { maxConcurrent: 4, requestTimeoutMs: 10_000, totalTimeoutMs: 20_000 },
      options: {
        stsLatencyMs: 1000,
        mappings: [
          allow('reports-reader', 'reports', { session: { maxDurationSeconds } }),
          allow('orders-writer', 'orders'),
        ],
      },
    });
    const outcomes: string[] = [];
    const noisy = [1, 2, 3, 4, 5, 6].map(async (hours) => {
      const answer = await broker.issue('reports', { durationSeconds: 3600 * hours });
      outcomes.push(summary(answer));
      return answer;
    });
    await until(() => outcomes.length === 4);
    expect(outcomes).toEqual(Array.from(outcomes, () => '503 overloaded'));
    const other = broker.issue('orders');
    await until(() => broker.sts.requests.length === 3);
    await clock.advance(1000);
    expect(summary(await other)).toBe('200');
    const refused = (await Promise.all(noisy)).filter(({ status }) => status === 503);
    for (const answer of refused) {
      expect(broker.auditRecordOf(answer)).toMatchObject({ reason: 'share_of_caller' });
    }
    expect(await refusals(broker)).toEqual({ sts_caller: 4 });
    expect(summary(await broker.issue('orders'))).toBe('200');
  });
});
