import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { RoleMapping } from '../../src/core/policy/role-mapping.ts';
import type { PolicySyncOptions } from '../../src/dynamodb/policy-sync.ts';
import { allows, type SyncProbe, startProbe, stopProbes } from './sync-probe.ts';
import {
  ids,
  mapping,
  pool,
  startTableFixture,
  type TableFixture,
  type TestTable,
} from './table-fixture.ts';

let fixture: TableFixture;
let t: TestTable;

beforeAll(async () => {
  fixture = await startTableFixture();
});
beforeEach(async () => {
  t = await fixture.table();
});
afterEach(async () => {
  fixture.server.setFault();
  await stopProbes();
});
afterAll(() => fixture.stop());

function started(options: Partial<PolicySyncOptions> = {}): Promise<SyncProbe> {
  return startProbe({ table: t.table, ...options });
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

/** An edit that another release made, of whatever text. */
const edit = (id: string, document: unknown, version = 1) =>
  t.editRaw(id, typeof document === 'string' ? document : JSON.stringify(document), version);

/** Makes the next poll read everything: there is an edit that does not follow on from the policy in force. */
const forceReload = () => edit('row-0', mapping('row-0'), 10);

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

    await forceReload();
    expect(await probe.tick()).toBe('reloaded');
    expect(probe.sync.current().byId.get('orders')).toBe(before);
  });
});

describe('a complete read', () => {
  it('is held against the change log, and ends with the policy that this leads to', async () => {
    await t.create(mapping('orders'));
    const probe = await started();
    await t.create(mapping('invoices'));
    await remove('orders');
    await probe.tickToReload();
    await probe.until(() => probe.sync.revision === 3);
    expect(probe.alarms).toEqual([]);
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
    expect(allows(probe, 'client-invoices', 'invoices')).toBe(true);
  });

  it.each([
    ['lacks rows but looks whole', { kind: 'shrinkScan', dropFraction: 0.1 } as const],
    ['breaks off', { kind: 'truncatePage' } as const],
    ['fails', { kind: 'error', type: 'InternalServerError', status: 500 } as const],
  ])('is never applied when it %s, and is repeated until it is complete', async (_, fault) => {
    for (const id of ids(6)) await t.create(mapping(id));
    const probe = await started();
    await forceReload();
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

type Attack = (table: TestTable) => Promise<void>;
const ghost = mapping('ghost', { principal: { pool, client: 'client-mallory' } });
const hollow = mapping('freeze', {
  principal: { pool, client: 'client-nobody' },
  role: '*',
  effect: 'deny',
});

/** What somebody with the writer's key can do without the four items of an edit. */
const attacks: readonly (readonly [string, Attack])[] = [
  ['a ghost', () => putCurrent('ghost', ghost)],
  [
    'a ghost that HEAD counts',
    async () => {
      await putCurrent('ghost', ghost);
      await setHead(await t.table.head(), 4);
    },
  ],
  [
    'a ghost with a version of its own',
    async () => {
      await putCurrent('ghost', ghost);
      await t.putRaw({
        pk: 'MAPPING#ghost',
        sk: 'V#0000000001',
        version: 1,
        mapping: JSON.stringify(ghost),
      });
    },
  ],
  ['a wider mapping of the same version', () => putCurrent('orders', { ...ghost, id: 'orders' })],
  ['a mapping that nobody wrote and nobody can read', () => putCurrent('ghost', 'no JSON')],
  ['a mapping that can no longer be read', () => putCurrent('orders', 'no JSON')],
  ['a mapping of a version that never was', () => putCurrent('orders', mapping('orders'), 7)],
  ['a freeze that freezes nobody', () => putCurrent('freeze', hollow)],
  [
    'a deleted freeze that HEAD no longer counts',
    async () => {
      await deleteCurrent('freeze');
      await setHead(await t.table.head(), 2);
    },
  ],
];

describe('rows written around the API (T49)', () => {
  beforeEach(async () => {
    await t.create(mapping('orders'));
    await t.create(mapping('frozen'));
    const principal = { pool, client: 'client-frozen' };
    await t.create(mapping('freeze', { principal, effect: 'deny', role: '*' }));
  });

  function expectOldPolicy(probe: SyncProbe) {
    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    expect(allows(probe, 'client-frozen', 'frozen')).toBe(false);
    for (const role of ['ghost', 'orders'])
      expect(allows(probe, 'client-mallory', role)).toBe(false);
  }

  it.each(attacks)(
    'change nothing while a broker runs, and raise an alarm: %s',
    async (_, attack) => {
      const probe = await started();
      await attack(t);

      await probe.tickToReload();
      await probe.until(() => probe.alarms.includes('unexplained_rows'));

      expectOldPolicy(probe);
      expect(probe.sync.alarms).toEqual(['unexplained_rows']);
      expect(probe.unexplained).toHaveLength(1);
      expect(await probe.tick()).toBe('unchanged');
      // Edits go on as before.
      await t.another().write({
        id: 'late',
        expectedVersion: 'absent',
        mapping: mapping('late'),
        actor: 'alice',
        reason: 'test',
      });
      await probe.tick();
      expect(allows(probe, 'client-late', 'late')).toBe(true);
      expectOldPolicy(probe);
    },
  );

  it.each(attacks)(
    'change nothing for a broker that starts without a snapshot file: %s',
    async (_, attack) => {
      await attack(t);
      const probe = await started();

      expectOldPolicy(probe);
      expect(probe.sync.alarms).toEqual(['unexplained_rows']);
    },
  );

  it.each(attacks)(
    'do not come in with a head that moved and no entry that says why: %s',
    async (_, attack) => {
      const probe = await started();
      await attack(t);
      await setHead((await t.table.head()) + 1, 2);

      expect(await probe.tick()).toBe('refused');

      expectOldPolicy(probe);
      expect(probe.sync.alarms).toEqual(['change_log_gap']);
      await probe.sync.stop();
      const fresh = await started();
      expect(() => fresh.sync.current()).toThrow(
        expect.objectContaining({ code: 'policy_unavailable' }),
      );
    },
  );

  it('end their alarm with an edit of that row by the API, in whose words it then is', async () => {
    const probe = await started();
    await putCurrent('orders', { ...ghost, id: 'orders' });
    await probe.tickToReload();
    await probe.until(() => probe.alarms.includes('unexplained_rows'));

    await replace(1, mapping('orders', { description: 'looked at' }));
    await probe.tickToReload();
    await probe.until(() => probe.sync.alarms.length === 0);
    expectOldPolicy(probe);
  });

  it('end their alarm when the row is created again that was deleted', async () => {
    const probe = await started();
    await deleteCurrent('freeze');
    await setHead(3, 2);
    await probe.tickToReload();
    await probe.until(() => probe.alarms.includes('unexplained_rows'));

    const principal = { pool, client: 'client-frozen' };
    await t.create(mapping('freeze', { principal, effect: 'deny', role: '*' }));
    await probe.tick();
    await probe.until(() => probe.sync.alarms.length === 0);
    expectOldPolicy(probe);
  });

  it('are taken by a restart with acceptShrink, and by nothing else', async () => {
    await putCurrent('ghost', ghost);
    const probe = await started({ acceptShrink: true });
    expect(probe.sync.alarms).toEqual([]);
    expect(allows(probe, 'client-mallory', 'ghost')).toBe(true);
  });

  it('include a table that was put back and went on from there, until somebody accepts it', async () => {
    const probe = await started();
    await deleteCurrent('orders');
    await t.deleteRaw('CHANGES#000000000000000', '000000000000003');
    await t.deleteRaw('MAPPING#freeze', 'V#0000000001');
    await deleteCurrent('freeze');
    await setHead(2, 1);
    await t.create(mapping('other'));
    await replace(1, mapping('other', { description: 'again' }));

    await probe.tick();
    await probe.until(() => probe.alarms.includes('rolled_back'));
    expectOldPolicy(probe);
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

  it('is put right when no more than a fifth went', async () => {
    for (const id of ids(10)) await t.create(mapping(id));
    const probe = await started();
    for (const id of ids(2)) await deleteCurrent(id);
    await setHead(10, 8);

    await probe.tickToReload();
    await probe.until(() => probe.alarms.includes('unexplained_rows'));

    expect(probe.sync.current().byId.size).toBe(10);
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
    await edit('orders', broken, 2);

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
    await edit('orders', broken);

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
    await edit('freeze', document);

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
    await edit('freeze', freeze({ effect: 'deny', role, conditions }));

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
    await edit('freeze', document);

    const probe = await started();

    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    expect(probe.sync.quarantined()).toMatchObject([{ id: 'freeze', standIn: 'none' }]);
  });

  it('no longer grants what it granted once it says deny', async () => {
    await t.create(mapping('orders'));
    const probe = await started();
    await edit('orders', { ...mapping('orders'), effect: 'deny', principal: 'lost' }, 2);

    await probe.tickToReload();
    await probe.until(() => probe.sync.quarantined().length > 0);

    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
  });

  it('keeps denying what it denied before it broke', async () => {
    await t.create(mapping('orders'));
    const principal = { pool: 'us-east-1_AbCdEf123', client: 'client-orders' };
    await t.create(mapping('freeze', { effect: 'deny', role: '*', principal }));
    const probe = await started();
    await edit('freeze', 'no longer JSON', 2);

    await probe.tickToReload();
    await probe.until(() => probe.sync.quarantined().length > 0);

    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
    expect(probe.sync.quarantined()).toMatchObject([{ id: 'freeze', standIn: 'last_good' }]);
  });
});
