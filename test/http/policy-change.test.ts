/** What an edit of the table does to callers who are being served from the cache. */

import { afterEach, describe, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import type { Call } from '../support/http-call.ts';
import { allow, clients, pool } from '../support/outside-world.ts';

let broker: BrokerFixture;

afterEach(() => broker.stop());

const ordersWriter = (fields = {}) =>
  allow('orders-writer', 'orders', { conditions: { scopes: ['orders/write'] }, ...fields });

async function cachedEntries(): Promise<number | undefined> {
  return (await broker.metrics()).get('tokenbroker_credential_cache_entries');
}

describe('credentials in the cache (T31)', () => {
  it('are refused and forgotten once their role mapping is disabled', async () => {
    broker = await startBrokerFixture();
    expect(await broker.issue('orders')).toMatchObject({ status: 200 });
    await broker.putMapping(ordersWriter({ enabled: false }));
    expect(await broker.issue('orders')).toMatchObject({
      status: 403,
      body: { code: 'access_denied' },
    });
    expect(await cachedEntries()).toBe(0);
  });

  it('are refused and forgotten once everything is frozen, and asked of STS anew after the thaw', async () => {
    broker = await startBrokerFixture();
    const before = await broker.issue('orders');
    const freeze = {
      id: 'freeze-all',
      principal: { pool: '*' as const, any: true as const },
      effect: 'deny' as const,
      role: '*',
      owner: 'incident',
    };
    await broker.putMapping(freeze);
    const during = await broker.issue('orders');
    expect(during).toMatchObject({ status: 403, body: { code: 'access_denied' } });
    expect(broker.auditRecordOf(during)).toMatchObject({
      reason: 'explicit_deny',
      mapping: { id: 'freeze-all' },
    });
    expect(await cachedEntries()).toBe(0);
    await broker.putMapping({ ...freeze, enabled: false });
    const after = await broker.issue('orders');
    expect(after.status).toBe(200);
    expect(after.body.credentials.accessKeyId).not.toBe(before.body.credentials.accessKeyId);
  });

  it('of others stay when one caller is frozen', async () => {
    broker = await startBrokerFixture();
    const others = await broker.issue('reports', { role: 'reports-reader' });
    await broker.issue('orders');
    await broker.putMapping({
      id: 'freeze-orders',
      principal: { pool, client: '1orders0example0client0id0' },
      effect: 'deny',
      role: '*',
      owner: 'incident',
    });
    expect(await cachedEntries()).toBe(1);
    const again = await broker.issue('reports', { role: 'reports-reader' });
    expect(again.body).toEqual(others.body);
  });

  it('are asked of STS anew once their role mapping gives another session', async () => {
    broker = await startBrokerFixture();
    await broker.issue('orders');
    await broker.putMapping(ordersWriter({ session: { name: 'orders-{sub}' } }));
    const { status, body } = await broker.issue('orders');
    expect(status).toBe(200);
    expect(body.assumedRole.arn).toContain(':assumed-role/orders-writer/orders-');
  });

  it('are refused and forgotten when the call that freezes is answered, and given again after the thaw', async () => {
    broker = await startBrokerFixture();
    const admin = (call: Omit<Call, 'listener' | 'token'>, scope: string) => {
      const token = broker.token('admin', { scopes: [scope] });
      const headers = { 'change-reason': 'INC-5: secret leaked' };
      return broker.call({ listener: 'admin', token, headers, ...call });
    };
    expect((await broker.issue('orders')).status).toBe(200);
    const body = { principal: { pool, client: clients.orders.clientId }, role: '*' };
    const frozen = await admin(
      { method: 'POST', path: '/v1/freezes', body },
      'broker/admin.freeze',
    );
    expect([frozen.status, frozen.body.inForce]).toEqual([201, true]);
    expect(await broker.issue('orders')).toMatchObject({ status: 403 });
    expect(await cachedEntries()).toBe(0);
    const thaw = { method: 'DELETE', path: `/v1/freezes/${frozen.body.id}` } as const;
    expect((await admin(thaw, 'broker/admin.freeze')).status).toBe(403);
    expect((await admin(thaw, 'broker/admin.write')).status).toBe(200);
    expect((await broker.issue('orders')).status).toBe(200);
  });
});
