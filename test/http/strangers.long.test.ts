/** Strangers, and callers who are refused, fill neither the audit log nor the place where logs are kept. */

import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import type { Call } from '../support/http-call.ts';
import { clients } from '../support/outside-world.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

let broker: BrokerFixture;
let clock: TestClock;
afterEach(() => broker.stop());

async function start(configure: Parameters<typeof startBrokerFixture>[0] = {}) {
  clock = createTestClock(Date.now());
  broker = await startBrokerFixture({ clock, ...configure });
}

const records = () => broker.auditRecords().filter(({ type }) => !type.startsWith('audit_'));
const counted = () => records().reduce((sum, { repeats }) => sum + (repeats?.count ?? 1), 0);

/** Requests of everything that a stranger can vary, each different from all others. */
const doors: Readonly<Record<string, (number: number) => Call>> = {
  'a missing token': (number) => ({
    method: 'POST',
    path: '/v1/credentials',
    headers: { 'user-agent': `agent/${number}` },
  }),
  'a malformed token': (number) => ({ path: '/v1/credentials', token: `no-jwt-${number}` }),
  'a role that is named': (number) => ({ path: `/v1/credentials/role-${number}` }),
  'a body that is not JSON': (number) => ({
    method: 'POST',
    path: '/v1/credentials',
    headers: { 'content-type': 'application/json' },
    body: `{${number}`,
  }),
  'an edit without a token': (number) => ({
    listener: 'admin',
    method: 'PUT',
    path: `/v1/role-mappings/mapping-${number}`,
    headers: { 'if-none-match': '*', 'change-reason': `reason ${number}` },
    body: {},
  }),
  'a freeze with a bad token': (number) => ({
    listener: 'admin',
    method: 'POST',
    path: '/v1/freezes',
    token: `no-jwt-${number}`,
    headers: { 'change-reason': `reason ${number}` },
    body: {},
  }),
};

describe('a stranger who varies whatever can be varied', () => {
  it.each(Object.entries(doors))(
    'T70: leaves two records in ten seconds: %s',
    async (_door, call) => {
      await start();
      for (let number = 0; number < 30; number += 1) await broker.call(call(number));
      expect(records()).toHaveLength(1);
      await clock.advance(10_000);
      await until(() => records().length === 2);
      expect(counted()).toBe(30);
      const [first, rest] = records();
      expect(rest?.requestId).toBe(first?.requestId);
      expect(rest).toMatchObject({ sourceIp: '127.0.0.1', route: '*', repeats: { count: 29 } });
    },
  );

  it('T70: sends nothing that counts for less than a bad token, where there is none', async () => {
    await start({
      configure: (config) => ({
        ...config,
        limits: { failedTokensPerAddress: { perSecond: 1, burst: 4 } },
      }),
    });
    const door = Object.values(doors);
    for (const number of [0, 1]) {
      await broker.call((door[0] as (typeof door)[number])(number));
      await broker.call((door[1] as (typeof door)[number])(number));
    }
    const limited = await broker.issue('orders');
    expect([limited.status, limited.body.code]).toEqual([429, 'rate_limited']);
    const list: Call = { listener: 'admin', path: '/v1/role-mappings' };
    expect((await broker.call({ ...list, token: broker.token('admin') })).status).toBe(200);
    for (let number = 0; number < 4; number += 1) await broker.call(list);
    expect((await broker.call({ ...list, token: broker.token('stranger') })).status).toBe(429);
  });

  it('T70: has fifty log lines of one code in ten seconds, and one with the number of the others', async () => {
    await start();
    for (let number = 0; number < 80; number += 1) {
      await broker.call({ path: `/nowhere-${number}` });
    }
    const refused = () => broker.logs.filter(({ code }) => code === 'route_not_found');
    expect(refused()).toHaveLength(50);
    expect(refused()[0]).toMatchObject({ msg: 'refused', sourceIp: '127.0.0.1' });
    await clock.advance(10_000);
    expect(refused()).toHaveLength(51);
    expect(refused().at(-1)).toMatchObject({ unlogged: 30 });
    await broker.call({ path: '/nowhere' });
    expect(refused().at(-1)).toMatchObject({ msg: 'refused' });
  });
});

describe('the log line of a refusal', () => {
  it('T73: says which client was refused, once a token has proven it, and from where', async () => {
    await start();
    const answers = [
      await broker.issue('stranger'),
      await broker.call({
        listener: 'admin',
        path: '/v1/role-mappings',
        token: broker.token('stranger'),
      }),
      await broker.call({ path: '/v1/credentials' }),
    ];
    const { clientId } = clients.stranger;
    const seen = answers.map(({ requestId }) =>
      broker.logs.find((line) => line['requestId'] === requestId),
    );
    expect(seen).toMatchObject([
      { code: 'access_denied', client: clientId, sourceIp: '127.0.0.1' },
      { code: 'access_denied', client: clientId, sourceIp: '127.0.0.1' },
      { code: 'token_missing', sourceIp: '127.0.0.1' },
    ]);
    expect(seen[2]).not.toHaveProperty('client');
  });
});
