import { chmodSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { PolicySyncOptions } from '../../src/dynamodb/policy-sync.ts';
import { hostileFiles, type Swap } from '../support/hostile-files.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { allows, probeSync, type SyncProbe } from './sync-probe.ts';
import {
  ids,
  mapping,
  rules,
  startTableFixture,
  type TableFixture,
  type TestTable,
} from './table-fixture.ts';

const hourMs = 3_600_000;
const unavailable = expect.objectContaining({ code: 'policy_unavailable' });
const stale = expect.objectContaining({ code: 'policy_stale' });

let fixture: TableFixture;
let t: TestTable;
let folder: string;
let snapshotFile: string;
/** One for all processes of a test: wall time goes on over a restart. */
let clock: TestClock;
const probes: SyncProbe[] = [];

beforeAll(async () => {
  fixture = await startTableFixture();
});
beforeEach(async () => {
  t = await fixture.table();
  folder = await mkdtemp(join(tmpdir(), 'policy-sync-'));
  snapshotFile = join(folder, 'policy.snapshot');
  clock = createTestClock();
});
afterEach(async () => {
  fixture.server.setFault();
  await Promise.all(probes.splice(0).map(({ sync }) => sync.stop()));
  await rm(folder, { recursive: true });
});
afterAll(() => fixture.stop());

async function started(options: Partial<PolicySyncOptions> = {}): Promise<SyncProbe> {
  const probe = probeSync({ table: t.table, snapshotFile, ...options }, clock);
  probes.push(probe);
  await probe.sync.start();
  return probe;
}

/** A broker that ran and was stopped: leaves its snapshot file. */
async function ranBefore(): Promise<void> {
  const probe = await started();
  await probe.sync.stop();
}

const outages = [
  ['hangs', { kind: 'hang' } as const],
  ['cuts connections', { kind: 'reset' } as const],
  ['answers with errors', { kind: 'error', type: 'InternalServerError', status: 500 } as const],
  ['breaks off its answers', { kind: 'truncatePage' } as const],
] as const;

describe('while it runs, a table that is away', () => {
  it.each(outages)(
    'changes nothing for 4 h, then the policy is stale: it %s (T27)',
    async (_, fault) => {
      await t.create(mapping('orders'));
      const probe = await started({ table: t.hasty });
      fixture.server.setFault(fault);

      expect(await probe.tick()).toBe('failed');
      expect(allows(probe, 'client-orders', 'orders')).toBe(true);
      await clock.advance(4 * hourMs - 10_000);
      expect(allows(probe, 'client-orders', 'orders')).toBe(true);
      await clock.advance(10_000);
      expect(() => probe.sync.current()).toThrow(stale);

      fixture.server.setFault();
      await t.create(mapping('invoices'));
      await probe.sync.refresh();
      expect(allows(probe, 'client-orders', 'orders')).toBe(true);
      expect(allows(probe, 'client-invoices', 'invoices')).toBe(true);
    },
  );

  it('tells the log why, and says how old the policy is', async () => {
    const probe = await started();
    fixture.server.setFault({ kind: 'reset' });

    await probe.tick();
    await probe.tick();

    expect(probe.failures).toEqual([
      expect.objectContaining({ code: 'table_unavailable' }),
      expect.objectContaining({ code: 'table_unavailable' }),
    ]);
    expect(probe.sync.ageSeconds()).toBe(4);
  });

  it('holds for as long as configured, and no longer than a day can be configured', async () => {
    await t.create(mapping('orders'));
    const probe = await started({ maxAgeSeconds: 60 });
    fixture.server.setFault({ kind: 'reset' });

    await clock.advance(59_000);
    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    await clock.advance(2_000);
    expect(() => probe.sync.current()).toThrow(stale);
    expect(() => probeSync({ table: t.table, maxAgeSeconds: 86_401 })).toThrow(RangeError);
  });

  it('that does not exist denies everything: there is no policy (T27)', async () => {
    const table = t.table;
    fixture.server.setFault({ kind: 'error', type: 'ResourceNotFoundException', status: 400 });

    const probe = await started({ table });

    expect(() => probe.sync.current()).toThrow(unavailable);
  });
});

describe('when it starts, a table that is away', () => {
  it.each(outages)('is bridged by the snapshot file: it %s', async (_, fault) => {
    await t.create(mapping('orders'));
    await ranBefore();
    await clock.advance(hourMs);
    fixture.server.setFault(fault);

    const probe = await started({ table: t.hasty });

    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    expect(probe.sync.ageSeconds()).toBeGreaterThanOrEqual(3600);
    await clock.advance(3 * hourMs + 1_000);
    expect(() => probe.sync.current()).toThrow(stale);

    fixture.server.setFault();
    await t.create(mapping('invoices'));
    await probe.sync.refresh();
    expect(allows(probe, 'client-invoices', 'invoices')).toBe(true);
    expect(probe.sync.ageSeconds()).toBeLessThan(5);
  });

  it('leaves it without a policy when there is no snapshot file, until the table is back', async () => {
    await t.create(mapping('orders'));
    fixture.server.setFault({ kind: 'reset' });
    const probe = await started();

    expect(() => probe.sync.current()).toThrow(unavailable);
    expect(probe.sync.ageSeconds()).toBeUndefined();
    expect(await probe.tick()).toBe('failed');
    expect(() => probe.sync.current()).toThrow(unavailable);

    fixture.server.setFault();
    expect(await probe.tick()).toBe('reloaded');
    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
  });

  it('leaves it without a policy when the snapshot file is older than allowed', async () => {
    await t.create(mapping('orders'));
    await ranBefore();
    await clock.advance(4 * hourMs + 1_000);
    fixture.server.setFault({ kind: 'reset' });

    const probe = await started();

    expect(() => probe.sync.current()).toThrow(unavailable);
  });

  it('leaves it without a policy when the snapshot file comes from the future', async () => {
    await t.create(mapping('orders'));
    await clock.advance(2 * hourMs);
    await ranBefore();
    clock = createTestClock();
    fixture.server.setFault({ kind: 'reset' });

    const probe = await started();

    expect(() => probe.sync.current()).toThrow(unavailable);
  });
});

describe('the snapshot file', () => {
  it('is for the owner only, whole, and alone in its folder', async () => {
    await t.create(mapping('orders'));
    await ranBefore();

    expect((await stat(snapshotFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['policy.snapshot']);
  });

  it('follows every change', async () => {
    const probe = await started();
    await t.create(mapping('orders'));
    await probe.tick();
    await probe.sync.stop();
    fixture.server.setFault({ kind: 'reset' });

    const restarted = await started();

    expect(restarted.sync.revision).toBe(1);
    expect(allows(restarted, 'client-orders', 'orders')).toBe(true);
  });

  it('follows mere contact too, so that a quiet table does not age', async () => {
    await t.create(mapping('orders'));
    const probe = await started();
    // Many polls, each of which finds nothing new.
    for (let minute = 0; minute < 3; minute++) {
      await clock.advance(61_000);
      await probe.sync.refresh();
    }
    await probe.sync.stop();
    await clock.advance(4 * hourMs - 120_000);
    fixture.server.setFault({ kind: 'reset' });

    const restarted = await started();

    expect(allows(restarted, 'client-orders', 'orders')).toBe(true);
  });

  it.each([
    ['one changed byte', (text: string) => text.replace('broker/orders', 'broker/admins')],
    ['a missing end', (text: string) => text.slice(0, -20)],
    ['a missing row', (text: string) => text.split('\n').toSpliced(1, 1).join('\n')],
    ['nothing in it', () => ''],
    ['something else in it', () => '{"format":1}\n[]\n'],
  ])('is ignored, with an alarm, with %s', async (_, damage) => {
    await t.create(mapping('orders'));
    await ranBefore();
    await writeFile(snapshotFile, damage(await readFile(snapshotFile, 'utf8')));
    fixture.server.setFault({ kind: 'reset' });

    const probe = await started();

    expect(() => probe.sync.current()).toThrow(unavailable);
    expect(probe.sync.alarms).toEqual(['snapshot_file_unusable']);
    fixture.server.setFault();
    await probe.tick();
    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    await probe.until(() => probe.sync.alarms.length === 0);
  });

  it.each<readonly [string, Swap]>([
    ...hostileFiles,
    ['in a folder that everybody may write to', (file) => chmodSync(dirname(file), 0o777)],
  ])('is ignored, with an alarm that says why, when it is %s (T90)', async (_what, swap) => {
    await t.create(mapping('orders'));
    await ranBefore();
    swap(snapshotFile);
    fixture.server.setFault({ kind: 'reset' });

    const probe = await started();

    expect(() => probe.sync.current()).toThrow(unavailable);
    expect(probe.sync.alarms).toEqual(['snapshot_file_unusable']);
    expect(probe.fileFailures).toMatchObject([
      { operation: 'read', error: { code: 'EREFUSED', message: expect.stringContaining(folder) } },
    ]);
  });

  it('is not written where everybody may put another in its place (T90)', async () => {
    await t.create(mapping('orders'));
    chmodSync(folder, 0o777);

    const probe = await started();
    await probe.until(() => probe.alarms.includes('snapshot_file_unwritable'));

    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });

  it('loses what a process that died while writing has left beside it', async () => {
    await t.create(mapping('orders'));
    await ranBefore();
    await writeFile(`${snapshotFile}.0123456789abcdef.tmp`, 'half');

    await ranBefore();

    expect(await readdir(folder)).toEqual(['policy.snapshot']);
  });

  it('that cannot be written raises an alarm, and the policy is in force all the same', async () => {
    await t.create(mapping('orders'));

    await writeFile(join(folder, 'file'), '');

    const probe = await started({ snapshotFile: join(folder, 'file', 'policy.snapshot') });
    await probe.until(() => probe.alarms.includes('snapshot_file_unwritable'));

    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
  });

  it('is checked against the configuration of today', async () => {
    await t.create(mapping('orders', { conditions: { claims: { 'custom:team': ['orders'] } } }));
    await t.create(mapping('invoices'));
    await ranBefore();
    fixture.server.setFault({ kind: 'reset' });

    const probe = await started({ rules: { ...rules, matchableClaims: new Set() } });

    expect(allows(probe, 'client-invoices', 'invoices')).toBe(true);
    expect(probe.sync.quarantined()).toMatchObject([{ id: 'orders', standIn: 'none' }]);
  });

  it('carries quarantine over a restart: last good versions and denies that stand in', async () => {
    const frozen = mapping('frozen');
    await t.create(mapping('orders'));
    await t.create(frozen);
    const probe = await started();
    await t.editRaw('orders', 'no JSON', 2);
    const freeze = { ...frozen, id: 'freeze', effect: 'deny', role: 'not an arn' };
    await t.editRaw('freeze', JSON.stringify(freeze), 1);
    await probe.tickToReload();
    await probe.until(() => probe.sync.quarantined().length === 2);
    await probe.sync.stop();

    for (const fault of [{ kind: 'reset' } as const, undefined]) {
      fixture.server.setFault(fault);
      const restarted = await started();
      expect(allows(restarted, 'client-orders', 'orders')).toBe(true);
      expect(allows(restarted, 'client-frozen', 'frozen')).toBe(false);
      expect(restarted.sync.quarantined()).toHaveLength(2);
      await restarted.sync.stop();
    }
  });
});

describe('a restart', () => {
  it('does not accept a table that fell behind the snapshot file (T50)', async () => {
    await t.create(mapping('orders'));
    await t.create(mapping('invoices'));
    await ranBefore();
    await t.deleteRaw('MAPPING#invoices', 'CURRENT');
    await t.putRaw({ pk: 'HEAD', sk: 'HEAD', revision: 1, mappings: 1 });

    const probe = await started();

    expect(probe.sync.alarms).toEqual(['rolled_back']);
    expect(allows(probe, 'client-invoices', 'invoices')).toBe(true);
  });

  it('does not accept a shrunken table, unless the deletions are in the change log', async () => {
    for (const id of ids(10)) await t.create(mapping(id));
    await ranBefore();
    for (const id of ids(4)) {
      const edit = { id, expectedVersion: 1, mapping: undefined };
      await t.table.write({ ...edit, actor: 'alice', reason: 'test' });
    }
    const explained = await started();
    expect(explained.sync.current().byId.size).toBe(6);
    expect(explained.alarms).toEqual([]);
    await explained.sync.stop();

    for (const id of ids(3, 'row').map((_, index) => `row-${index + 4}`)) {
      await t.deleteRaw(`MAPPING#${id}`, 'CURRENT');
    }
    await t.putRaw({ pk: 'HEAD', sk: 'HEAD', revision: 14, mappings: 3 });
    const held = await started();
    expect(held.sync.alarms).toEqual(['shrunk']);
    expect(held.sync.current().byId.size).toBe(6);
  });

  it('with acceptShrink takes the table as it finds it, once', async () => {
    for (const id of ids(10)) await t.create(mapping(id));
    await ranBefore();
    for (const id of ids(9)) await t.deleteRaw(`MAPPING#${id}`, 'CURRENT');
    await t.putRaw({ pk: 'HEAD', sk: 'HEAD', revision: 4, mappings: 2 });

    const probe = await started({ acceptShrink: true });

    expect(probe.alarms).toEqual([]);
    expect(probe.sync.revision).toBe(4);
    expect(probe.sync.current().byId.size).toBe(1);
    await t.putRaw({ pk: 'HEAD', sk: 'HEAD', revision: 3, mappings: 1 });
    expect(await probe.tick()).toBe('refused');
    expect(probe.sync.alarms).toEqual(['rolled_back']);
  });
});
