import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RoleMapping } from '../../src/core/role-mapping.ts';
import type { PolicySyncOptions } from '../../src/dynamodb/policy-sync.ts';
import { allows, probeSync, type SyncProbe } from './sync-probe.ts';
import {
  ids,
  mapping,
  startTableFixture,
  type TableFixture,
  type TestTable,
} from './table-fixture.ts';

let fixture: TableFixture;
let t: TestTable;
const probes: SyncProbe[] = [];

beforeAll(async () => {
  fixture = await startTableFixture();
});
beforeEach(async () => {
  t = await fixture.table();
});
afterEach(async () => {
  fixture.server.setFault();
  await Promise.all(probes.splice(0).map(({ sync }) => sync.stop()));
});
afterAll(() => fixture.stop());

async function started(options: Partial<PolicySyncOptions> = {}): Promise<SyncProbe> {
  const probe = probeSync({ table: t.table, ...options });
  probes.push(probe);
  await probe.sync.start();
  return probe;
}

function replace(expectedVersion: number, next: RoleMapping) {
  return t.table.write({
    id: next.id,
    expectedVersion,
    mapping: next,
    actor: 'alice',
    reason: 'test',
  });
}

function remove(id: string, expectedVersion = 1) {
  return t.table.write({
    id,
    expectedVersion,
    mapping: undefined,
    actor: 'alice',
    reason: 'test',
  });
}

/** HEAD as somebody with write access to the table could set it. */
function setHead(revision: number, mappings: number) {
  return t.putRaw({ pk: 'HEAD', sk: 'HEAD', revision, mappings });
}

const deleteCurrent = (id: string) => t.deleteRaw(`MAPPING#${id}`, 'CURRENT');
const putCurrent = (id: string, document: unknown, version = 1) =>
  t.putRaw({
    pk: `MAPPING#${id}`,
    sk: 'CURRENT',
    version,
    mapping: typeof document === 'string' ? document : JSON.stringify(document),
  });

/** Makes the next poll read everything: there is a revision that the change log knows nothing of. */
async function forceReload(mappings: number) {
  await setHead((await t.table.head()) + 1, mappings);
}

describe('an edit', () => {
  it('is in force on every replica after one poll', async () => {
    await t.create(mapping('orders'));
    const replicas = [await started(), await started({ table: t.another() })];
    for (const replica of replicas) expect(allows(replica, 'client-orders', 'orders')).toBe(true);

    await t.create(mapping('invoices'));
    await replace(1, mapping('orders', { enabled: false }));

    for (const replica of replicas) {
      expect(await replica.tick()).toBe('applied');
      expect(allows(replica, 'client-orders', 'orders')).toBe(false);
      expect(allows(replica, 'client-invoices', 'invoices')).toBe(true);
      expect(replica.sync.revision).toBe(3);
    }
  });

  it('that deletes takes the role away after one poll, and a new creation gives it back', async () => {
    await t.create(mapping('orders'));
    const probe = await started();

    await remove('orders');
    await probe.tick();
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);

    await t.create(mapping('orders'));
    await probe.tick();
    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    expect(probe.alarms).toEqual([]);
  });

  it('is in force once refresh() is done, also when a poll was under way', async () => {
    const probe = await started();
    const underWay = probe.sync.refresh();
    await t.create(mapping('orders'));

    await probe.sync.refresh();

    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    await underWay;
  });

  it('is seen while a complete read is stuck', async () => {
    await t.create(mapping('orders'));
    const probe = await started({ table: t.another() });
    fixture.server.setFault({ kind: 'hang', operations: ['Scan'] });
    await probe.tickToReload();

    await remove('orders');

    expect(await probe.tick()).toBe('applied');
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
  });

  it('keeps what is compiled of all other rows', async () => {
    await t.create(mapping('orders'));
    await t.create(mapping('invoices'));
    const probe = await started();
    const before = probe.sync.current().byId.get('orders');

    await replace(1, mapping('invoices', { description: 'changed' }));
    await probe.tick();
    expect(probe.sync.current().byId.get('orders')).toBe(before);

    await forceReload(2);
    expect(await probe.tick()).toBe('reloaded');
    expect(probe.sync.current().byId.get('orders')).toBe(before);
  });
});

describe('a complete read', () => {
  it('finds, now and then, what was written around the API', async () => {
    await t.create(mapping('orders'));
    const probe = await started();
    await putCurrent('by-hand', mapping('by-hand'));

    expect(await probe.tick()).toBe('unchanged');
    await probe.tickToReload();
    await probe.until(() => probe.sync.current().byId.has('by-hand'));

    expect(allows(probe, 'client-by-hand', 'by-hand')).toBe(true);
  });

  it('replaces the change log where that has a gap', async () => {
    await t.create(mapping('orders'));
    const probe = await started();
    await t.create(mapping('invoices'));
    await remove('orders');
    await t.deleteRaw('CHANGES#000000000000000', '000000000000002');

    expect(await probe.tick()).toBe('reloaded');

    expect(probe.alarms).toEqual(['change_log_gap']);
    expect(probe.sync.alarms).toEqual([]);
    expect(probe.sync.revision).toBe(3);
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
    expect(allows(probe, 'client-invoices', 'invoices')).toBe(true);
  });

  it('replaces a change log that tells another history, as after a restore', async () => {
    await t.create(mapping('orders'));
    await t.create(mapping('secret'));
    const probe = await started();
    // Back to before "secret", then on with other edits.
    await deleteCurrent('secret');
    await t.deleteRaw('MAPPING#secret', 'V#0000000001');
    await t.deleteRaw('CHANGES#000000000000000', '000000000000002');
    await setHead(1, 1);
    await t.create(mapping('other'));
    await replace(1, mapping('other', { description: 'again' }));

    expect(await probe.tick()).toBe('reloaded');

    expect(allows(probe, 'client-secret', 'secret')).toBe(false);
    expect(allows(probe, 'client-other', 'other')).toBe(true);
  });

  it.each([
    ['lacks rows but looks whole', { kind: 'shrinkScan', dropFraction: 0.1 } as const],
    ['breaks off', { kind: 'truncatePage' } as const],
    ['fails', { kind: 'error', type: 'InternalServerError', status: 500 } as const],
  ])('is never applied when it %s, and is repeated until it is complete', async (_, fault) => {
    for (const id of ids(6)) await t.create(mapping(id));
    const probe = await started();
    await forceReload(6);
    fixture.server.setFault({ ...fault, operations: ['Scan'] });

    expect(await probe.tick()).toMatch(/^(refused|failed)$/);
    for (const id of ids(6)) expect(allows(probe, `client-${id}`, id)).toBe(true);
    expect(probe.sync.revision).toBe(6);

    fixture.server.setFault();
    await probe.clock.advance(4_000);
    await probe.until(() => probe.sync.revision === 7 && probe.sync.alarms.length === 0);
    for (const id of ids(6)) expect(allows(probe, `client-${id}`, id)).toBe(true);
  });

  it('that lacks rows does not count as a first load either', async () => {
    for (const id of ids(3)) await t.create(mapping(id));
    fixture.server.setFault({ kind: 'shrinkScan', dropFraction: 0.1, operations: ['Scan'] });

    const probe = await started();

    expect(() => probe.sync.current()).toThrow(
      expect.objectContaining({ code: 'policy_unavailable' }),
    );
    expect(probe.sync.alarms).toEqual(['incomplete_read']);
  });
});

describe('a table that shrinks (T27)', () => {
  it('is held back when more than a fifth of the rows vanished without a trace', async () => {
    for (const id of ids(10)) await t.create(mapping(id));
    const probe = await started();
    for (const id of ids(3)) await deleteCurrent(id);
    await setHead(10, 7);

    await probe.tickToReload();
    await probe.until(() => probe.alarms.includes('shrunk'));

    for (const id of ids(10)) expect(allows(probe, `client-${id}`, id)).toBe(true);
    expect(await probe.tick()).toBe('unchanged');
    expect(probe.sync.alarms).toEqual(['shrunk']);
  });

  it('is accepted when no more than a fifth went', async () => {
    for (const id of ids(10)) await t.create(mapping(id));
    const probe = await started();
    for (const id of ids(2)) await deleteCurrent(id);
    await setHead(10, 8);

    await probe.tickToReload();
    await probe.until(() => probe.sync.current().byId.size === 8);

    expect(probe.alarms).toEqual([]);
  });

  it('is accepted however much it shrinks by deletions in the change log', async () => {
    for (const id of ids(10)) await t.create(mapping(id));
    const probe = await started();
    for (const id of ids(9)) await remove(id);

    expect(await probe.tick()).toBe('applied');

    expect(probe.sync.current().byId.size).toBe(1);
    expect(probe.alarms).toEqual([]);
  });

  it('is held back as incomplete when rows are gone that HEAD still counts', async () => {
    for (const id of ids(10)) await t.create(mapping(id));
    const probe = await started();
    await deleteCurrent('row-0');

    await probe.tickToReload();
    await probe.until(() => probe.alarms.includes('incomplete_read'));

    expect(allows(probe, 'client-row-0', 'row-0')).toBe(true);
    await putCurrent('row-0', mapping('row-0'));
    await probe.tickToReload();
    await probe.until(() => probe.sync.alarms.length === 0);
  });

  it('to nothing at all is a rollback, and is refused until the policy is too old', async () => {
    for (const id of ids(3)) await t.create(mapping(id));
    const probe = await started();
    for (const id of ids(3)) await deleteCurrent(id);
    await t.deleteRaw('HEAD', 'HEAD');

    expect(await probe.tick()).toBe('refused');

    expect(probe.sync.alarms).toContain('rolled_back');
    for (const id of ids(3)) expect(allows(probe, `client-${id}`, id)).toBe(true);
    await probe.clock.advance(4 * 3_600_000);
    expect(() => probe.sync.current()).toThrow(expect.objectContaining({ code: 'policy_stale' }));
  });
});

describe('a revision that falls (T50)', () => {
  it('is refused, raises the alarm once, and is forgotten when the table is right again', async () => {
    await t.create(mapping('orders'));
    await remove('orders');
    const probe = await started();
    await putCurrent('orders', mapping('orders'));
    await setHead(1, 1);

    expect(await probe.tick()).toBe('refused');
    expect(await probe.tick()).toBe('refused');
    expect(probe.alarms).toEqual(['rolled_back']);
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
    expect(probe.sync.revision).toBe(2);

    await deleteCurrent('orders');
    await setHead(2, 0);
    expect(await probe.tick()).toBe('unchanged');
    expect(probe.sync.alarms).toEqual([]);
  });
});

describe('a row that does not parse (T52)', () => {
  const broken = { ...mapping('orders'), conditions: { scopes: 'orders/write' } };

  it('keeps its last good version in force, and does not touch the others', async () => {
    await t.create(mapping('orders'));
    await t.create(mapping('invoices'));
    const probe = await started();
    await putCurrent('orders', broken, 2);

    await probe.tickToReload();
    await probe.until(() => probe.sync.quarantined().length > 0);

    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    expect(allows(probe, 'client-invoices', 'invoices')).toBe(true);
    expect(probe.sync.alarms).toEqual(['quarantine']);
    expect(probe.sync.quarantined()).toEqual([
      {
        id: 'orders',
        version: 2,
        standIn: 'last_good',
        faults: [expect.objectContaining({ pointer: '/conditions/scopes' })],
      },
    ]);

    await replace(2, mapping('orders', { description: 'repaired' }));
    await probe.tick();
    expect(probe.sync.alarms).toEqual([]);
  });

  it('grants nothing when no good version is known, and the others are loaded', async () => {
    await t.create(mapping('invoices'));
    await putCurrent('orders', broken);

    const probe = await started();

    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
    expect(allows(probe, 'client-invoices', 'invoices')).toBe(true);
    expect(probe.sync.quarantined()).toMatchObject([{ id: 'orders', standIn: 'none' }]);
  });

  it('is quarantined out of the change log too', async () => {
    await t.create(mapping('orders'));
    const probe = await started();
    await t.putRaw({
      pk: 'CHANGES#000000000000000',
      sk: '000000000000002',
      id: 'orders',
      version: 2,
      revision: 2,
      action: 'replace',
      updatedAt: '2026-01-01T00:00:00.000Z',
      updatedBy: 'alice',
      reason: 'test',
      after: JSON.stringify(broken),
    });
    await setHead(2, 1);

    expect(await probe.tick()).toBe('applied');

    expect(probe.sync.quarantined()).toMatchObject([{ id: 'orders', standIn: 'last_good' }]);
    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
  });

  const freeze = (fields: object) => ({
    ...mapping('freeze', { principal: { pool: 'us-east-1_AbCdEf123', client: 'client-orders' } }),
    ...fields,
  });

  it.each([
    ['says deny', freeze({ effect: 'deny', role: 'not an arn' })],
    ['may say deny', freeze({ effect: 'DENY' })],
    ['says nothing about its effect', freeze({ effect: undefined, role: '*' })],
    [
      'denies two principals at once',
      freeze({
        effect: 'deny',
        principal: { pool: 'us-east-1_AbCdEf123', client: 'client-orders', user: 'u' },
      }),
    ],
    [
      'denies everybody in a pool',
      freeze({
        effect: 'deny',
        principal: { pool: 'us-east-1_AbCdEf123', any: true },
        session: 7,
      }),
    ],
  ])('denies its principal every role when it %s', async (_, document) => {
    await t.create(mapping('orders'));
    await putCurrent('freeze', document);

    const probe = await started();

    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
    expect(probe.sync.quarantined()).toMatchObject([{ id: 'freeze', standIn: 'deny' }]);
  });

  it.each([
    ['by a scope, which nobody may write any more (T61)', { scopes: ['orders/write'] }],
    ['under a condition that cannot be read', { from: 'everywhere' }],
  ])('denies its role, whatever the conditions, when it denies %s', async (_, conditions) => {
    await t.create(mapping('orders'));
    await t.create(mapping('refunds'));
    const { role } = mapping('orders');
    await putCurrent('freeze', freeze({ effect: 'deny', role, conditions }));

    const probe = await started();

    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
    expect(probe.sync.quarantined()).toMatchObject([{ id: 'freeze', standIn: 'deny' }]);
    expect(probe.sync.current().byId.get('freeze')?.mapping).toMatchObject({
      effect: 'deny',
      role,
      conditions: {},
    });
  });

  it.each([
    ['says allow', freeze({ effect: 'allow', role: 'not an arn' })],
    ['is disabled', freeze({ effect: 'deny', role: 'not an arn', enabled: false })],
    ['is no JSON, so that its principal cannot be read', '{"effect":"deny"'],
  ])('denies nobody when it %s', async (_, document) => {
    await t.create(mapping('orders'));
    await putCurrent('freeze', document);

    const probe = await started();

    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    expect(probe.sync.quarantined()).toMatchObject([{ id: 'freeze', standIn: 'none' }]);
  });

  it('no longer grants what it granted once it says deny', async () => {
    await t.create(mapping('orders'));
    const probe = await started();
    await putCurrent('orders', { ...mapping('orders'), effect: 'deny', principal: 'lost' }, 2);

    await probe.tickToReload();
    await probe.until(() => probe.sync.quarantined().length > 0);

    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
  });

  it('keeps denying what it denied before it broke', async () => {
    await t.create(mapping('orders'));
    const principal = { pool: 'us-east-1_AbCdEf123', client: 'client-orders' };
    await t.create(mapping('freeze', { effect: 'deny', role: '*', principal }));
    const probe = await started();
    await putCurrent('freeze', 'no longer JSON', 2);

    await probe.tickToReload();
    await probe.until(() => probe.sync.quarantined().length > 0);

    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
    expect(probe.sync.quarantined()).toMatchObject([{ id: 'freeze', standIn: 'last_good' }]);
  });
});
