/** A disk that fills up: whoever matters least goes without a record first, and administrators last. */

import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type AuditDisk, canMount, mountAuditDisk } from '../../faults/audit-disk.ts';
import {
  type BrokerFixture,
  startBrokerFixture,
  withoutClients,
} from '../support/broker-fixture.ts';
import { clients, pool } from '../support/outside-world.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

const diskKib = 1024;
/** A quarter of the disk is kept, however much the configuration asks for. */
const reserveKib = diskKib / 4;

let broker: BrokerFixture;
let clock: TestClock;
let disk: AuditDisk;
afterEach(async () => {
  await broker.stopBroker();
  disk.unmount();
  await broker.stop();
});

async function start() {
  clock = createTestClock(Date.now());
  broker = await startBrokerFixture({
    clock,
    configure(config) {
      disk = mountAuditDisk(String(config.audit.directory), 'tmpfs', diskKib);
      return config;
    },
  });
}

const filler = () => join(broker.auditDirectory, 'filler');

/** Others write to the disk, until so much is left; the broker looks once a second. */
async function leave(kib: number): Promise<void> {
  if (existsSync(filler())) rmSync(filler());
  const { bavail, bsize } = statfsSync(broker.auditDirectory);
  writeFileSync(filler(), Buffer.alloc(bavail * bsize - kib * 1024));
  await clock.advance(1_000);
  await settled(() => broker.issue('orders'));
}

/** The look at the disk that the first question after a second begins is over by the next one. */
async function settled(ask: () => Promise<unknown>): Promise<void> {
  await ask();
  await new Promise((resolve) => setImmediate(resolve));
  await ask();
}

const records = (wanted: object) =>
  broker
    .auditRecords()
    .filter((record) => Object.entries(wanted).every(([name, value]) => record[name] === value));
const freeze = () =>
  broker.call({
    listener: 'admin',
    method: 'POST',
    path: '/v1/freezes',
    token: broker.token('admin'),
    headers: { 'change-reason': 'the disk fills up' },
    body: { principal: { pool, client: clients.orders.clientId }, role: '*' },
  });
const askAsStranger = () => broker.call({ path: '/v1/credentials' });

(canMount() ? describe : describe.skip)('an audit disk that fills up', () => {
  it('T278: takes over no configuration without its record, and the same one once there is room', async () => {
    await start();
    await leave(0);
    const look = () =>
      broker.call({ listener: 'admin', path: '/v1/changes', token: broker.token('admin') });
    // The last block has room for some records more.
    while ((await look()).status === 200);
    broker.writeConfig(withoutClients('orders'));
    await broker.reload();
    const reloads = (outcome: string) => `tokenbroker_config_reloads_total{outcome="${outcome}"}`;
    expect((await broker.metrics()).get(reloads('audit_unavailable'))).toBe(1);
    await leave(2 * reserveKib);
    while ((await broker.issue('orders')).status !== 200) await clock.advance(1_000);
    expect(records({ type: 'config_reload', outcome: 'authorized' })).toEqual([]);

    await broker.reload();
    expect((await broker.metrics()).get(reloads('reloaded'))).toBe(1);
    expect((await broker.issue('orders')).status).toBe(401);
    expect(records({ type: 'config_reload', outcome: 'authorized' })).toHaveLength(1);
  });

  it('T71: has no records of strangers from its reserve on; they are counted, and on record when there is room', async () => {
    await start();
    await leave(reserveKib - 20);
    const before = broker.auditRecords().length;
    for (let number = 0; number < 7; number += 1) {
      expect((await askAsStranger()).status).toBe(401);
    }
    expect((await broker.issue('orders')).status).toBe(200);
    expect((await broker.issue('stranger')).status).toBe(403);
    await clock.advance(20_000);
    expect(records({ code: 'token_missing' })).toEqual([]);
    expect(broker.auditRecords().length).toBeGreaterThan(before);

    rmSync(filler());
    await clock.advance(1_000);
    await settled(() => broker.issue('orders'));
    await clock.advance(20_000);
    await until(() => records({ code: 'token_missing' }).length === 1);
    expect(records({ code: 'token_missing' })[0]?.repeats?.count).toBe(7);
  });

  it('T71: then has none of callers who are refused, who are answered and counted', async () => {
    await start();
    await leave(reserveKib * 0.75 - 20);
    expect((await broker.issue('stranger')).status).toBe(403);
    expect((await broker.issue('orders')).status).toBe(200);
    expect(records({ code: 'access_denied' })).toEqual([]);
    rmSync(filler());
    await clock.advance(1_000);
    await settled(() => broker.issue('orders'));
    await clock.advance(20_000);
    await until(() => records({ code: 'access_denied' }).length === 1);
  });

  it('T71: then gives out no credentials, and an administrator can freeze still', async () => {
    await start();
    await leave(reserveKib / 2 - 20);
    const issued = records({ outcome: 'issued' }).length;
    const refused = await broker.issue('reports', { role: 'reports-reader' });
    expect([refused.status, refused.body.code]).toEqual([503, 'audit_unavailable']);
    expect(records({ outcome: 'issued' })).toHaveLength(issued);
    expect((await broker.call({ listener: 'ops', path: '/readyz' })).status).toBe(503);

    expect((await freeze()).status).toBe(201);
    expect(records({ type: 'mapping_change', outcome: 'authorized' })).toHaveLength(1);

    rmSync(filler());
    await clock.advance(1_000);
    await settled(() => broker.issue('reports', { role: 'reports-reader' }));
    expect((await broker.issue('reports', { role: 'reports-reader' })).status).toBe(200);
    expect((await broker.issue('orders')).body.code).toBe('access_denied');
  });

  it('T71: says how much is left, and tells when something is withheld and when no longer', async () => {
    await start();
    await leave(reserveKib - 20);
    const metrics = await broker.metrics();
    expect(metrics.get('tokenbroker_audit_disk_reserve_bytes')).toBe(reserveKib * 1024);
    expect(metrics.get('tokenbroker_audit_disk_free_bytes')).toBeLessThan(reserveKib * 1024);
    const told = () => broker.logs.filter((line) => 'withheld' in line);
    expect(told()).toMatchObject([{ level: 'error', withheld: ['refusals_of_strangers'] }]);
    rmSync(filler());
    await clock.advance(1_000);
    await settled(() => broker.issue('orders'));
    expect(told().at(-1)).toMatchObject({ level: 'info', withheld: [] });
  });
});
