/** What administrators see of decisions and of the instance; each answer is held against openapi.yaml. */

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../../support/broker-fixture.ts';
import { clients, pool, roleNamed } from '../../support/outside-world.ts';

let broker: BrokerFixture;
beforeEach(async () => {
  broker = await startBrokerFixture();
});
afterEach(() => broker.stop());

const look = (path: string, token = broker.token('admin')) =>
  broker.call({ listener: 'admin', path, token });

describe('GET /v1/decisions', () => {
  it('shows what was decided, why, and whose an access key is, newest first', async () => {
    expect((await look('/v1/decisions')).body).toEqual({ items: [], remembered: 0, since: null });
    const issued = await broker.issue('orders');
    const denied = await broker.issue('stranger', { role: 'orders-writer' });

    const { body } = await look('/v1/decisions');
    expect(body.remembered).toBe(2);
    expect(body.items).toMatchObject([
      {
        outcome: 'denied',
        requestId: denied.requestId,
        code: 'access_denied',
        client: clients.stranger.clientId,
        asked: 'orders-writer',
      },
      {
        outcome: 'issued',
        requestId: issued.requestId,
        pool,
        client: clients.orders.clientId,
        mapping: 'orders-writer',
        mappingVersion: 1,
        role: roleNamed('orders-writer'),
        cached: false,
      },
    ]);
    expect(body.items[0].reason).toMatch(/^[a-z_]+$/);
    const { accessKeyId } = issued.body.credentials;
    const whose = (await look(`/v1/decisions?accessKeyId=${accessKeyId}`)).body.items;
    expect(whose).toMatchObject([{ requestId: issued.requestId, accessKeyId }]);
  });

  it.each([
    ['outcome=denied', 1],
    ['outcome=failed', 0],
    [`client=${clients.orders.clientId}`, 1],
    [`user=${clients.stranger.clientId}`, 1],
    ['mapping=orders-writer', 1],
    [`role=${roleNamed('orders-writer')}`, 1],
    ['role=orders-writer', 1],
    ['requestId=nothing', 0],
    ['limit=1', 1],
    [`outcome=issued&client=${clients.stranger.clientId}`, 0],
  ])('with %s shows %i of two', async (query, count) => {
    await broker.issue('orders');
    await broker.issue('stranger', { role: 'orders-writer' });
    const { status, body } = await look(`/v1/decisions?${query}`);
    expect([status, body.items.length, body.remembered]).toEqual([200, count, 2]);
  });

  it.each(['outcome=maybe', 'limit=0', 'since=1', 'client='])('refuses %s', async (query) => {
    expect((await look(`/v1/decisions?${query}`)).body.code).toBe('query_invalid');
  });

  it('T174: shows no token, no secret and no digest of one, and is on record as a look', async () => {
    const token = broker.token('orders');
    const path = '/v1/credentials';
    const { body } = await broker.call({ method: 'POST', path, token });
    const { secretAccessKey, sessionToken } = body.credentials;
    const seen = (await look('/v1/decisions')).text;
    const [record] = broker.auditRecords().filter(({ type }) => type === 'exchange');
    const { sha256 } = (record?.['token'] ?? {}) as { sha256: string };
    for (const secret of [secretAccessKey, sessionToken, token.split('.')[2], sha256]) {
      expect(seen).not.toContain(secret);
    }
    expect(broker.auditRecords().at(-1)).toMatchObject({ type: 'access', asked: '/v1/decisions' });
  });

  it.each(['/v1/decisions', '/v1/status'])(
    'T174: is for administrators alone, like %s',
    async (path) => {
      expect((await look(path, broker.token('orders'))).status).toBe(403);
      expect((await broker.call({ listener: 'admin', path })).status).toBe(401);
      const scopes = ['broker/admin.write', 'broker/admin.freeze'];
      expect((await look(path, broker.token('admin', { scopes }))).body.code).toBe(
        'scope_insufficient',
      );
    },
  );
});

describe('GET /v1/status', () => {
  it('says how the instance is, and what it has counted', async () => {
    await broker.issue('orders');
    await broker.issue('stranger', { role: 'orders-writer' });
    const { status, body } = await look('/v1/status');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      version: '0.0.0-test',
      policy: { revision: 4, mappings: 4, quarantined: 0 },
      requests: expect.arrayContaining([
        { outcome: 'issued', count: 1 },
        { outcome: 'denied', count: 1 },
      ]),
      refusals: [{ code: 'access_denied', count: 1 }],
      sts: [{ region: 'us-east-1', result: 'issued', count: 1 }],
    });
    const names = body.checks.map(({ name }: { name: string }) => name);
    expect(names).toEqual(['policy', 'keys', 'audit', 'serving', 'table']);
    expect(body.checks.every(({ ok }: { ok: boolean }) => ok)).toBe(true);
  });

  it('takes no query', async () => {
    expect((await look('/v1/status?x=1')).body.code).toBe('query_invalid');
  });
});

describe('when credentials were last issued by a mapping', () => {
  it('is said of each in the list and of one alone, since the start of the instance', async () => {
    const before = Date.now();
    await broker.issue('orders');
    await broker.issue('stranger', { role: 'reports-reader' });
    const { body: list } = await look('/v1/role-mappings');
    const [record] = broker.auditRecords().filter(({ outcome }) => outcome === 'issued');
    const last = Object.fromEntries(
      list.items.map((one: { mapping: { id: string }; lastIssuedAt: string | null }) => [
        one.mapping.id,
        one.lastIssuedAt,
      ]),
    );
    expect(last).toEqual({
      'orders-writer': record?.['time'],
      'reports-reader': null,
      'reports-publisher': null,
      'legacy-reader': null,
    });
    expect(Date.parse(list.issuedSince)).toBeLessThanOrEqual(before);
    const one = await look('/v1/role-mappings/orders-writer');
    expect(one.body).toMatchObject({
      lastIssuedAt: record?.['time'],
      issuedSince: list.issuedSince,
    });
    const { body: history } = await look('/v1/role-mappings/orders-writer/versions');
    expect(Object.keys(history.items[0])).not.toContain('lastIssuedAt');
  });
});
