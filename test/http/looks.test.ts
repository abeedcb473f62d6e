/** Who looks at the policy, and who tries to, is on record before the answer leaves. */

import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import { allow, clients, pool } from '../support/outside-world.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

let broker: BrokerFixture;
let clock: TestClock;
afterEach(() => broker.stop());

async function start() {
  clock = createTestClock(Date.now());
  broker = await startBrokerFixture({ clock });
}

const looks = () => broker.auditRecords().filter(({ type }) => type === 'access');
const counted = () => looks().reduce((sum, { repeats }) => sum + (repeats?.count ?? 1), 0);
const look = (path: string, token?: string) =>
  broker.call({
    listener: 'admin',
    path,
    headers: { 'user-agent': 'one administrator' },
    ...(token === undefined ? {} : { token }),
  });

describe('what an administrator looks at', () => {
  it.each([
    '/v1/role-mappings',
    '/v1/role-mappings/orders-writer',
    '/v1/role-mappings/orders-writer/versions',
    '/v1/role-mappings/no-such-mapping',
    '/v1/changes?since=1',
    `/v1/permissions?pool=${pool}&client=${clients.orders.clientId}`,
  ])('T73: is on record when the answer comes, with the name: %s', async (path) => {
    await start();
    const { requestId } = await look(path, broker.token('admin'));
    expect(looks()).toMatchObject([
      {
        requestId,
        listener: 'admin',
        outcome: 'permitted',
        asked: path,
        sourceIp: '127.0.0.1',
        token: { clientId: clients.admin.clientId },
      },
    ]);
  });

  it.each([
    ['a path that looks like a token', 'eyJhbGciOiJSUzI1NiJ9'],
    ['a path that has the form of one', 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA'],
    ['a path without end', 'x'.repeat(900)],
  ])('T105: is on record with the role that is asked for, behind %s', async (_what, path) => {
    await start();
    const asked = `/v1/principals?role=arn:aws:iam::123456789012:role/${path}/orders-writer`;
    const { status, body } = await look(asked, broker.token('admin'));
    expect([status, JSON.stringify(body)]).toEqual([200, expect.stringContaining('orders-writer')]);
    const [record] = looks();
    expect(record?.['asked']).toMatch(/^\/v1\/principals\?role=arn:.*\/orders-writer$/);
    expect(record?.['asked']).not.toContain('eyJzdWIiOiJhIn0');
  });

  it('T105: keeps no token that was put into the path by mistake', async () => {
    await start();
    const token = broker.token('admin');
    await look(`/v1/role-mappings/${token}`, token);
    expect(looks()).toMatchObject([{ asked: '/v1/role-mappings/[not kept]' }]);
  });

  it('T73: has one record and a count for equal looks of ten seconds', async () => {
    await start();
    const token = broker.token('admin');
    for (let number = 0; number < 20; number += 1) await look('/v1/role-mappings', token);
    expect(looks()).toHaveLength(1);
    await clock.advance(10_000);
    await until(() => looks().length === 2);
    expect(counted()).toBe(20);
  });

  it('T73: is counted exactly beyond 64 different ones, under the name of who looked', async () => {
    await start();
    const token = broker.token('admin');
    for (let number = 0; number < 80; number += 1)
      await look(`/v1/role-mappings/m-${number}`, token);
    await clock.advance(10_000);
    await until(() => counted() === 80);
    expect(looks().at(-1)).toMatchObject({
      outcome: 'permitted',
      token: { clientId: clients.admin.clientId, sha256: '*' },
      repeats: { count: 15 },
    });
  });
});

describe('a preview of an edit', () => {
  const preview = (method: string, path: string, token?: string, body?: unknown) =>
    broker.call({
      listener: 'admin',
      method,
      path,
      headers: { 'change-reason': 'to look', 'if-match': '"1"' },
      ...(token === undefined ? {} : { token }),
      ...(body === undefined ? {} : { body }),
    });
  const freezing = { principal: { pool, client: clients.orders.clientId }, role: '*' };

  it.each([
    ['DELETE', '/v1/role-mappings/orders-writer?dryRun=true', undefined],
    [
      'PUT',
      '/v1/role-mappings/orders-writer?dryRun=true&override=true',
      allow('orders-writer', 'orders'),
    ],
    ['POST', '/v1/freezes?dryRun=true', freezing],
  ])(
    'T105: shows what is there, so it is on record as a look: %s %s',
    async (method, path, body) => {
      await start();
      const { status, requestId } = await preview(method, path, broker.token('admin'), body);
      expect(status).toBe(200);
      expect(looks()).toMatchObject([
        {
          requestId,
          outcome: 'permitted',
          asked: path,
          token: { clientId: clients.admin.clientId },
        },
      ]);
      expect(broker.auditRecords().filter(({ type }) => type === 'mapping_change')).toEqual([]);
    },
  );

  it('T105: is on record, too, where it is refused', async () => {
    await start();
    const path = '/v1/role-mappings/orders-writer?dryRun=true';
    await preview('DELETE', path, broker.token('stranger'));
    await preview('DELETE', path, 'no.token.atall');
    await preview('DELETE', '/v1/role-mappings/no-such-mapping?dryRun=true', broker.token('admin'));
    expect(looks()).toMatchObject([
      {
        outcome: 'refused',
        code: 'access_denied',
        token: { clientId: clients.stranger.clientId },
      },
      { outcome: 'refused', code: 'token_malformed' },
      {
        outcome: 'refused',
        code: 'mapping_not_found',
        token: { clientId: clients.admin.clientId },
      },
    ]);
  });
});

describe('who may not look', () => {
  it('T73: is on record with what a token has proven, or by address alone', async () => {
    await start();
    await look('/v1/role-mappings', broker.token('stranger'));
    await look('/v1/role-mappings');
    await look('/v1/changes');
    expect(looks()).toMatchObject([
      {
        outcome: 'refused',
        code: 'access_denied',
        token: { clientId: clients.stranger.clientId },
      },
      { outcome: 'refused', code: 'token_missing', sourceIp: '127.0.0.1' },
    ]);
    await clock.advance(10_000);
    await until(() => counted() === 3);
  });
});

describe('what a caller asks about itself', () => {
  it('T73: is on record, with the role that it names, and so is who is refused', async () => {
    await start();
    const token = broker.token('orders');
    await broker.call({ path: '/v1/caller?role=orders-writer', token });
    await broker.call({ path: '/v1/caller' });
    expect(looks()).toMatchObject([
      {
        listener: 'api',
        outcome: 'permitted',
        asked: '/v1/caller?role=orders-writer',
        token: { clientId: clients.orders.clientId },
      },
      { listener: 'api', outcome: 'refused', code: 'token_missing' },
    ]);
  });
});
