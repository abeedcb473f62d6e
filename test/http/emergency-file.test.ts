/** The emergency file of a whole broker: what it denies, wherever it is asked, whatever else is down. */

import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { type BrokerFixture, startBrokerFixture } from '../support/broker-fixture.ts';
import type { Answer, Call } from '../support/http-call.ts';
import { clients, pool } from '../support/outside-world.ts';
import { createTestClock } from '../support/test-clock.ts';

const clock = createTestClock();
let broker: BrokerFixture;
let path = '';
beforeAll(async () => {
  broker = await startBrokerFixture({
    clock,
    configure(config) {
      path = join(dirname(String(config.audit.directory)), 'emergency.yaml');
      // Time is moved on while the disk is at work.
      const audit = { ...config.audit, deadlineMs: 10_000 };
      return { ...config, audit, policy: { ...config.policy, emergencyFile: path } };
    },
  });
}, 30_000);
afterAll(() => broker.stop());
afterEach(async () => {
  broker.dynamodb.setFault(undefined);
  rmSync(path, { force: true });
  await untilDenies(0);
});

const write = (...denies: readonly object[]) => writeFileSync(path, JSON.stringify({ denies }));
const orders = { principal: { pool, client: clients.orders.clientId }, reason: 'INC-9' };

async function denies(): Promise<number | undefined> {
  return (await broker.metrics()).get('tokenbroker_emergency_denies');
}

async function untilDenies(count: number): Promise<void> {
  while ((await denies()) !== count) await clock.advance(1_000);
}

const cacheEntries = async () =>
  (await broker.metrics()).get('tokenbroker_credential_cache_entries') ?? 0;

/** What is on record of the file since it gave this reason: what others left may still be on its way there. */
function changesSince(reason: string) {
  const changes = broker.auditRecords().filter(({ type }) => type === 'emergency_file');
  const first = changes.findIndex((change) => JSON.stringify(change).includes(reason));
  return first < 0 ? [] : changes.slice(first);
}

const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));

it('T98: takes roles away within seconds, out of the cache, too, and gives them back when it is gone', async () => {
  const denied = { ...orders, reason: 'INC-10' };
  expect((await broker.issue('orders')).status).toBe(200);
  const cached = await cacheEntries();
  write(denied);
  await untilDenies(1);
  const answer = await broker.issue('orders');
  expect([answer.status, answer.body.code]).toEqual([403, 'access_denied']);
  expect(broker.auditRecordOf(answer)).toMatchObject({
    reason: 'explicit_deny',
    mapping: { id: 'emergency-file-1' },
  });
  const caller = await broker.call({ path: '/v1/caller', token: broker.token('orders') });
  expect(caller.body.roles).toEqual([]);
  const explained = await broker.call({
    listener: 'admin',
    method: 'POST',
    path: '/v1/explain',
    token: broker.token('admin'),
    body: { token: broker.token('orders') },
  });
  expect(explained.body.decision).toMatchObject({
    outcome: 'deny',
    reason: 'explicit_deny',
    mapping: { id: 'emergency-file-1', effect: 'deny' },
  });
  expect(await cacheEntries()).toBe(cached - 1);

  rmSync(path);
  await untilDenies(0);
  const again = await broker.issue('orders');
  expect(again.status).toBe(200);
  expect(broker.auditRecordOf(again)).toMatchObject({ credentials: { cached: false } });
  expect(changesSince(denied.reason)).toMatchObject([
    { outcome: 'in_force', count: 1, denies: [{ ...denied, role: '*' }], tokens: [] },
    { outcome: 'absent', count: 0 },
  ]);
  expect(broker.logText).toContain('the emergency file denies');
}, 20_000);

const shown: readonly (readonly [string, (token: string) => Call, 'orders' | 'admin'])[] = [
  [
    'credentials',
    (token) => ({ method: 'POST', path: '/v1/credentials', token, body: {} }),
    'orders',
  ],
  ['container credentials', (token) => ({ path: '/v1/credentials', token }), 'orders'],
  ['who am I', (token) => ({ path: '/v1/caller', token }), 'orders'],
  [
    'an administrator who reads',
    (token) => ({ listener: 'admin', path: '/v1/changes', token }),
    'admin',
  ],
  [
    'an administrator who edits',
    (token) => ({
      listener: 'admin',
      method: 'POST',
      path: '/v1/freezes?dryRun=true',
      token,
      headers: { 'change-reason': 'x' },
      body: { principal: orders.principal, role: '*' },
    }),
    'admin',
  ],
];

it('T98: refuses a denied token wherever it is shown, and no other of the same caller', async () => {
  const stolen = { orders: broker.token('orders'), admin: broker.token('admin') };
  const ask = async (call: (token: string) => Call, token: string): Promise<Answer> =>
    await broker.call(call(token));
  for (const [, call, name] of shown) expect((await ask(call, stolen[name])).status).toBe(200);
  const { jti } = claimsOf(stolen.orders);
  write({ token: jti, reason: 'stolen' }, { token: claimsOf(stolen.admin).jti });
  await untilDenies(2);
  for (const [what, call, name] of shown) {
    const refused = await ask(call, stolen[name]);
    expect([what, refused.status, JSON.stringify(refused.body)]).toEqual([
      what,
      401,
      expect.stringContaining('token_revoked'),
    ]);
    expect([what, (await ask(call, broker.token(name))).status]).toEqual([what, 200]);
  }
}, 20_000);

it('T98: holds a freeze that was made while the table and the audit disk were gone, once the disk is back', async () => {
  const denied = { ...orders, reason: 'INC-11' };
  const aside = `${broker.auditDirectory}-aside`;
  expect((await broker.issue('orders')).status).toBe(200);
  broker.dynamodb.setFault({ kind: 'reset' });
  renameSync(broker.auditDirectory, aside);
  writeFileSync(broker.auditDirectory, 'not a directory');
  const asked = async () => {
    await clock.advance(1_000);
    return (await broker.issue('orders')).body.code;
  };
  while ((await asked()) !== 'audit_unavailable');
  write(denied);
  await untilDenies(1);
  expect(await asked()).not.toBeUndefined();

  rmSync(broker.auditDirectory);
  renameSync(aside, broker.auditDirectory);
  while ((await asked()) === 'audit_unavailable');
  expect(await asked()).toBe('access_denied');
  const unfrozen = await broker.issue('reports', { role: 'reports-reader' });
  expect(unfrozen.status).toBe(200);
  while (changesSince(denied.reason).length === 0) await clock.advance(1_000);
}, 20_000);

it('T98, T99: counts while the table is away, and denies everything while it cannot be used', async () => {
  broker.dynamodb.setFault({ kind: 'reset' });
  expect((await broker.issue('orders')).status).toBe(200);
  write(orders);
  await untilDenies(1);
  expect((await broker.issue('orders')).status).toBe(403);
  writeFileSync(path, 'denies: [{ everything: ture }]');
  await untilDenies(2);
  const reports = await broker.issue('reports', { role: 'reports-reader' });
  expect([reports.status, reports.body.code]).toEqual([403, 'access_denied']);
  expect(broker.logText).toContain('cannot be used');
}, 20_000);

it('T235, T236: denies everything where its disk gives no answer when a broker starts, and has an age to tell it by', async () => {
  const startedAt = createTestClock();
  const other = await startBrokerFixture({
    clock: startedAt,
    configure(config) {
      const emergencyFile = join(dirname(String(config.audit.directory)), 'emergency.yaml');
      // Reading it fails as a broken disk does, with EIO.
      symlinkSync('/proc/self/mem', emergencyFile);
      return { ...config, policy: { ...config.policy, emergencyFile } };
    },
  });
  try {
    const refused = await other.issue('orders');
    expect([refused.status, refused.body.code]).toEqual([403, 'access_denied']);
    await startedAt.advance(11_000);
    const metrics = await other.metrics();
    expect(metrics.get('tokenbroker_emergency_file_age_seconds')).toBeGreaterThan(10);
    expect(metrics.get('tokenbroker_emergency_denies')).toBe(1);
  } finally {
    await other.stop();
  }
}, 30_000);
