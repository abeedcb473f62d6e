import { createHash } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DynamoDbFault } from '../../emulators/dynamodb/dynamodb-faults.ts';
import { freezeId } from '../../src/core/policy/freeze.ts';
import type { RoleMapping, RoleMappingInput } from '../../src/core/policy/role-mapping.ts';
import type { PolicyTable } from '../../src/dynamodb/policy-steps.ts';
import type { PolicySyncOptions } from '../../src/dynamodb/policy-sync.ts';
import type { JsonObject } from '../../src/kit/json/json-object.ts';
import { hostileFiles, type Swap } from '../support/hostile-files.ts';
import { createTestClock, type TestClock } from '../support/test-clock.ts';
import { forwardingTable } from './forwarding-table.ts';
import { heldLoads, wasEverAfter } from './held-loads.ts';
import { allows, probeSync, type SyncProbe, startProbe, stopProbes } from './sync-probe.ts';
import {
  denial,
  ids,
  mapping,
  pool,
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
  comeBack();
  await stopProbes();
  await rm(folder, { recursive: true });
});
afterAll(() => fixture.stop());

function started(options: Partial<PolicySyncOptions> = {}): Promise<SyncProbe> {
  return startProbe({ table: t.table, snapshotFile, program: 'this one', ...options }, clock);
}

/** A broker that ran and was stopped: leaves its snapshot file. */
async function ranBefore(): Promise<void> {
  const probe = await started();
  await probe.sync.stop();
}

/** What somebody can do who writes files as the broker's user: the row of `orders` is another one, all digests are right. */
async function forgeRow(forge: (mapping: JsonObject) => JsonObject): Promise<void> {
  await rewrite((row) =>
    row['id'] === 'orders' ? { ...row, mapping: forge(row['mapping'] as JsonObject) } : row,
  );
}

/** As releases left it that did not write down which table it was of. */
async function forgetTable(): Promise<void> {
  await rewrite(({ table, chain, ...line }) => line);
}

/** `change`: of the header and of each row. */
async function rewrite(change: (line: JsonObject) => JsonObject): Promise<void> {
  const lines = (await readFile(snapshotFile, 'utf8')).split('\n').slice(0, -2);
  const content = lines.map(
    (line) => `${JSON.stringify(change(JSON.parse(line) as JsonObject))}\n`,
  );
  const sha256 = createHash('sha256').update(content.join('')).digest('hex');
  await writeFile(snapshotFile, `${content.join('')}${JSON.stringify({ sha256 })}\n`);
}

async function headerOf(): Promise<JsonObject> {
  const [header = ''] = (await readFile(snapshotFile, 'utf8')).split('\n');
  return JSON.parse(header) as JsonObject;
}

function withRole(name: string): (mapping: JsonObject) => JsonObject {
  return (row) => ({ ...row, role: `arn:aws:iam::123456789012:role/broker/${name}` });
}

function rowsIn(text: string): readonly string[] {
  return text.split('\n').slice(1, -2);
}

/** The table, which is waited for while it is there: the machine may be busy. */
const tableThatGoesAway = () => forwardingTable(() => (isAway ? t.hasty : t.table));
let isAway = false;

function goAway(fault: DynamoDbFault): void {
  isAway = true;
  fixture.server.setFault(fault);
}

function comeBack(): void {
  isAway = false;
  fixture.server.setFault();
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
      const probe = await started({ table: tableThatGoesAway() });
      goAway(fault);

      expect(await probe.tick()).toBe('failed');
      expect(allows(probe, 'client-orders', 'orders')).toBe(true);
      await clock.advance(4 * hourMs - 10_000);
      expect(allows(probe, 'client-orders', 'orders')).toBe(true);
      await clock.advance(10_000);
      expect(() => probe.sync.current()).toThrow(stale);

      comeBack();
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
    goAway(fault);

    const probe = await started({ table: tableThatGoesAway() });

    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    expect(probe.sync.ageSeconds()).toBeGreaterThanOrEqual(3600);
    await clock.advance(3 * hourMs + 1_000);
    expect(() => probe.sync.current()).toThrow(stale);

    comeBack();
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

  it.each(['another one', undefined])(
    'is checked whole where the program is %s',
    async (program) => {
      await t.create(mapping('orders'));
      await ranBefore();
      await forgeRow(withRole('OrdersAdmin'));
      fixture.server.setFault({ kind: 'reset' });

      const probe = await started({ program });

      expect(probe.sync.quarantined()).toMatchObject([{ id: 'orders' }]);
    },
  );

  it.each<readonly [string, (row: JsonObject) => JsonObject]>([
    ['a role that no rule lets anybody have', withRole('OrdersAdmin')],
    ['a role of everybody', (row) => ({ ...row, role: '*' })],
    ['nobody it is for', (row) => ({ ...row, principal: { pool, any: true } })],
    ['a member that the program would have printed left out', ({ precedence, ...row }) => row],
    ['conditions that are none', (row) => ({ ...row, conditions: { scopes: [] } })],
    [
      'a claim that mappings may not match',
      (row) => ({ ...row, conditions: { claims: { x: ['1'] } } }),
    ],
  ])(
    'denies by a mapping that it says was checked, and was not, with %s (T288)',
    async (_, forge) => {
      await t.create(mapping('orders'));
      await t.create(mapping('other'));
      await t.create(mapping('more', { principal: { pool, client: 'client-orders' } }));
      await ranBefore();
      await forgeRow(forge);
      fixture.server.setFault({ kind: 'reset' });

      const probe = await started();
      expect(probe.sync.alarms).toEqual([]);

      for (const role of ['orders', 'OrdersAdmin', 'more']) {
        expect(allows(probe, 'client-orders', role)).toBe(false);
      }
      expect(probe.sync.alarms).toEqual(['snapshot_file_unusable']);
      expect(probe.fileFailures).toMatchObject([
        { operation: 'read', error: { message: expect.stringContaining('orders') } },
      ]);
    },
  );

  it.each<readonly [string, (row: JsonObject) => JsonObject]>([
    ['another id', (row) => ({ ...row, id: 'another' })],
    ['no principal', ({ principal, ...row }) => row],
    ['no session', ({ session, ...row }) => row],
    ['no conditions', ({ conditions, ...row }) => row],
  ])('is ignored where a row of it has %s (T288)', async (_, forge) => {
    await t.create(mapping('orders'));
    await ranBefore();
    await forgeRow(forge);
    fixture.server.setFault({ kind: 'reset' });

    const probe = await started();

    expect(() => probe.sync.current()).toThrow(unavailable);
    expect(probe.sync.alarms).toEqual(['snapshot_file_unusable']);
  });

  it.each(
    ['this one', 'another one'].flatMap((program) =>
      ([undefined, '1', 0, -1, 1.5, null] as const).map((version) => [version, program] as const),
    ),
  )('is ignored where a row of it has the version %p, for %s (T310)', async (version, program) => {
    await t.create(mapping('orders'));
    await ranBefore();
    await rewrite((line) => (line['id'] === 'orders' ? { ...line, version } : line));
    fixture.server.setFault({ kind: 'reset' });

    const probe = await started({ program });

    expect(() => probe.sync.current()).toThrow(unavailable);
    expect(probe.sync.alarms).toEqual(['snapshot_file_unusable']);
  });

  it.each(['lastGood', 'inForce'])(
    'is ignored where %s of a quarantined row has no version (T310)',
    async (member) => {
      await t.create(mapping('orders'));
      const before = await started();
      await t.editRaw('orders', 'no JSON', 2);
      await before.tick();
      await before.sync.stop();
      const bare = JSON.parse(JSON.stringify({ mapping: mapping('orders') })) as JsonObject;
      await rewrite((line) => {
        const quarantined = line['quarantined'] as JsonObject | undefined;
        if (quarantined === undefined) return line;
        return {
          ...line,
          quarantined: { ...quarantined, [member]: member === 'inForce' ? [bare] : bare },
        };
      });
      fixture.server.setFault({ kind: 'reset' });

      const probe = await started();

      expect(() => probe.sync.current()).toThrow(unavailable);
      expect(probe.sync.alarms).toEqual(['snapshot_file_unusable']);
    },
  );

  it('knows its rows again when the table is back', async () => {
    await t.create(mapping('orders'));
    await ranBefore();
    const written = await readFile(snapshotFile, 'utf8');

    const probe = await started();
    await probe.tickToReload();

    expect(allows(probe, 'client-orders', 'orders')).toBe(true);
    expect(probe.sync.alarms).toEqual([]);
    await probe.sync.stop();
    expect(rowsIn(await readFile(snapshotFile, 'utf8'))).toEqual(rowsIn(written));
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

describe('a restart with another table', () => {
  const denied = ids(6);
  let other: TestTable;
  const isOver = (probe: SyncProbe) =>
    probe.until(() => !probe.sync.alarms.includes('snapshot_file_unusable'));

  /** The file is of `t`; `other` has the same rows, an early deny, and a later revision. */
  beforeEach(async () => {
    for (const id of denied) await t.create(mapping(id));
    await t.create(mapping('gone'));
    await ranBefore();
    other = await fixture.table();
    await other.create(denial('deny', 'client-row-0'));
    for (const id of [...denied, 'later']) await other.create(mapping(id));
  });

  function expectOther(probe: SyncProbe): void {
    expect(allows(probe, 'client-row-0', 'row-0')).toBe(false);
    expect(allows(probe, 'client-gone', 'gone')).toBe(false);
    expect(allows(probe, 'client-row-1', 'row-1')).toBe(true);
    expect(allows(probe, 'client-later', 'later')).toBe(true);
    expect(probe.unexplained).toEqual([]);
  }

  it('decides by that one alone, whatever the snapshot file says (T289)', async () => {
    const probe = await started({ table: other.table });

    expectOther(probe);
    expect(probe.alarms).toEqual(['snapshot_file_unusable']);
    await isOver(probe);
    await probe.sync.stop();
    fixture.server.setFault({ kind: 'reset' });
    expectOther(await started({ table: other.table }));
  });

  it.each<readonly [string, () => PolicySyncOptions['table']]>([
    ['another name', () => other.table],
    ['the same name in another region', () => t.elsewhere({ region: 'eu-west-1' })],
    [
      'the same name at another endpoint',
      () => t.elsewhere({ endpoint: fixture.server.url.replace('127.0.0.1', 'localhost') }),
    ],
  ])('has no policy while that is away: %s (T289)', async (_, table) => {
    fixture.server.setFault({ kind: 'reset' });

    const probe = await started({ table: table() });

    expect(() => probe.sync.current()).toThrow(unavailable);
    expect(probe.sync.alarms).toEqual(['snapshot_file_unusable']);
    const { table: name } = await table().place();
    expect(probe.fileFailures).toMatchObject([
      { operation: 'read', error: { message: expect.stringMatching(`another table.*${name}`) } },
    ]);
  });

  it.each([
    ['nothing', null],
    ['a name alone', 'role-mappings'],
    ['no region', { table: 'role-mappings' }],
  ])('takes no file that says %s where it names its table (T289)', async (_, table) => {
    await rewrite((line) => ('format' in line ? { ...line, table } : line));
    fixture.server.setFault({ kind: 'reset' });

    const probe = await started();

    expect(() => probe.sync.current()).toThrow(unavailable);
    expect(probe.sync.alarms).toEqual(['snapshot_file_unusable']);
  });

  it('decides by its whole change log where the file does not say of which table it is (T289)', async () => {
    await forgetTable();

    const probe = await started({ table: other.table });

    expectOther(probe);
    expect(probe.alarms).toEqual([]);
    await probe.sync.stop();
    expect(await headerOf()).toMatchObject({ table: await other.table.place() });
  });

  it('is bridged by a file that does not say so, until that table answers (T289)', async () => {
    await forgetTable();
    fixture.server.setFault({ kind: 'reset' });
    const probe = await started({ table: other.table });
    expect(allows(probe, 'client-row-0', 'row-0')).toBe(true);
    expect(await probe.tick()).toBe('failed');
    await probe.sync.stop();
    expect(await headerOf()).not.toHaveProperty('table');

    const again = await started({ table: other.table });
    fixture.server.setFault();
    expect(await again.tick()).toBe('reloaded');
    expectOther(again);
    expect(await again.tick()).toBe('unchanged');
  });
});

describe('a restart with a file that does not say of which table it is', () => {
  it('follows the table from then on, though nothing in it was new', async () => {
    await t.create(mapping('orders'));
    await ranBefore();
    const named = await headerOf();
    await forgetTable();

    const probe = await started();

    expect(probe.alarms).toEqual([]);
    expect(await probe.tick()).toBe('unchanged');
    await probe.sync.stop();
    expect(await headerOf()).toMatchObject({ table: named['table'], revision: 1 });
  });

  it('does not accept a table that fell behind it (T50)', async () => {
    await t.create(mapping('orders'));
    await t.create(mapping('invoices'));
    await ranBefore();
    await forgetTable();
    await t.deleteRaw('MAPPING#invoices', 'CURRENT');
    await t.putRaw({ pk: 'HEAD', sk: 'HEAD', revision: 1, mappings: 1 });

    const probe = await started();

    expect(probe.sync.alarms).toEqual(['rolled_back']);
    expect(allows(probe, 'client-invoices', 'invoices')).toBe(true);
  });
});

describe('after a restart under narrower rules', () => {
  const narrower = { ...rules, matchableClaims: new Set<string>() };
  const conditions = { claims: { 'custom:team': ['orders'] } };
  const principal = { pool, client: 'client-orders' };
  const deny = (id: string, fields: Partial<RoleMappingInput> = {}) =>
    denial(id, principal.client, fields);
  const underNarrower = () => started({ rules: narrower, table: t.another(undefined, narrower) });
  const away = () => fixture.server.setFault({ kind: 'reset' });
  const frozenId = freezeId({ principal, role: mapping('orders').role });

  it.each<readonly [string, readonly RoleMapping[], JsonObject | string]>([
    ['that was good once', [deny('stop', { conditions })], 'no JSON'],
    [
      'of whoever the row once let in',
      [mapping('stop', { principal, conditions })],
      { effect: 'deny', principal: 'lost' },
    ],
    [
      'that was good once, where the row says allow',
      [deny('stop', { conditions })],
      { effect: 'allow' },
    ],
    ['of a freeze', [], { ...deny('stop'), id: frozenId, role: 'no ARN' }],
  ])('a row that cannot be read keeps the deny %s (T290)', async (_, earlier, document) => {
    await t.create(mapping('orders'));
    for (const first of earlier) await t.create(first);
    const probe = await started();
    const [{ id } = { id: frozenId }] = earlier;
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    await t.editRaw(id, text, earlier.length + 1);
    await probe.tick();
    expect(probe.sync.quarantined()).toHaveLength(1);
    await probe.sync.stop();

    const expectDenied = (again: SyncProbe) => {
      expect(allows(again, 'client-orders', 'orders')).toBe(false);
      expect(again.sync.quarantined()).toMatchObject([{ id, standIn: 'deny' }]);
      expect(again.sync.alarms).toEqual(['quarantine']);
    };
    away();
    expectDenied(await underNarrower());
    fixture.server.setFault();
    const back = await underNarrower();
    await back.tickToReload();
    expectDenied(back);
    await back.sync.stop();
    away();
    expectDenied(await underNarrower());
  });

  it.each([
    ['says allow', '{"effect":"allow"}'],
    ['denies somebody else', JSON.stringify({ ...deny('stop'), principal: { pool, client: 'x' } })],
    ['cannot be read', 'no JSON'],
  ])('a deny stays where its row was written around the log and %s (T306)', async (_, text) => {
    await t.create(mapping('orders'));
    await t.create(deny('stop', { conditions }));
    await ranBefore();
    await t.putRaw({ pk: 'MAPPING#stop', sk: 'CURRENT', version: 1, mapping: text });

    const probe = await underNarrower();
    await probe.until(() => probe.alarms.includes('unexplained_rows'));

    expect(probe.unexplained).toEqual(['stop']);
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
  });

  it('a row written around the log is not taken by the rules of before either (T306)', async () => {
    await t.create(mapping('orders', { conditions }));
    await ranBefore();
    const forged = JSON.stringify(mapping('orders', { role: mapping('ghost').role, conditions }));
    await t.putRaw({ pk: 'MAPPING#orders', sk: 'CURRENT', version: 1, mapping: forged });
    const probe = await underNarrower();
    await probe.until(() => probe.sync.alarms.includes('quarantine'));
    await probe.sync.stop();

    const again = await started();
    await again.until(() => again.alarms.includes('unexplained_rows'));

    expect([...again.sync.current().byId.keys()]).toEqual([]);
  });

  it.each(['as the API writes it', 'as somebody else writes it'])(
    'an honest row raises no alarm: %s',
    async (writer) => {
      const orders = mapping('orders', { conditions });
      const { session, ...rest } = orders;
      if (writer === 'as the API writes it') await t.create(orders);
      else await t.editRaw('orders', JSON.stringify(rest, undefined, 1), 1);
      await t.create(deny('stop', { conditions }));
      await ranBefore();

      const probe = await underNarrower();
      await probe.tickToReload();
      expect(probe.sync.quarantined()).toHaveLength(2);
      expect(probe.alarms).toEqual(['quarantine']);
    },
  );

  it('rows are good again by the rules of before', async () => {
    await t.create(mapping('orders', { conditions }));
    await t.create(deny('stop', { conditions }));
    await ranBefore();
    away();
    await (await underNarrower()).sync.stop();
    fixture.server.setFault();
    const probe = await underNarrower();
    await probe.tickToReload();
    await probe.sync.stop();

    const again = await started();
    await again.until(() => again.sync.quarantined().length === 0);
    expect(again.sync.current().byId.size).toBe(2);
    expect(again.alarms).not.toContain('unexplained_rows');
  });
});

describe('a table that was made anew under its name, or put back (T321)', () => {
  /** As if it had the name of the first one. */
  const inPlaceOf = (first: TestTable, other: TestTable): PolicyTable =>
    forwardingTable(() => other.table, { place: () => first.table.place() });
  const anew = async (edits: number) => {
    await t.create(mapping('orders'));
    await t.create(mapping('stock'));
    const other = await fixture.table();
    await other.create(denial('stop', 'client-orders'));
    await other.create(mapping('orders'));
    if (edits > 2) await other.create(mapping('late'));
    return other;
  };

  it.each([2, 3])('and has come to revision %d is not followed after a restart', async (edits) => {
    const other = await anew(edits);
    await ranBefore();
    const table = inPlaceOf(t, other);
    const probe = await started({ table });
    await probe.tick();
    expect(probe.sync.alarms).toEqual(['rolled_back']);
    expect(probe.sync.revision).toBe(2);
    expect(allows(probe, 'client-late', 'late')).toBe(false);
    await probe.tickToReload();
    expect(probe.sync.alarms).toEqual(['rolled_back']);
    await probe.sync.stop();

    const again = await started({ table, acceptShrink: true });
    await again.until(() => again.sync.revision === edits);
    expect(again.sync.alarms).toEqual([]);
    expect(allows(again, 'client-orders', 'orders')).toBe(false);
    await again.tick();
    expect(again.sync.alarms).toEqual([]);
  });

  it('is not followed by a broker that runs', async () => {
    const other = await anew(3);
    const tables = { now: inPlaceOf(t, t) };
    const probe = await started({ table: forwardingTable(() => tables.now) });
    expect(await probe.tick()).toBe('unchanged');
    tables.now = inPlaceOf(t, other);
    expect(await probe.tick()).toBe('refused');
    expect(probe.sync.alarms).toEqual(['rolled_back']);
    tables.now = inPlaceOf(t, t);
    await t.create(mapping('late'));
    expect(await probe.tick()).toBe('applied');
    expect(probe.sync.alarms).toEqual([]);
  });

  it('is not followed either where the file of the broker did not say which edit it was of', async () => {
    const other = await anew(3);
    await ranBefore();
    await rewrite((line) => ({ ...line, writeId: undefined }));
    const tables = { now: inPlaceOf(t, t) };
    const probe = await started({ table: forwardingTable(() => tables.now) });
    await probe.tickToReload();
    expect(probe.sync.alarms).toEqual([]);
    tables.now = inPlaceOf(t, other);
    expect(await probe.tick()).toBe('refused');
    expect(probe.sync.alarms).toEqual(['rolled_back']);
  });
});

describe('what stands in for a row that cannot be read (T322)', () => {
  const narrower = { ...rules, matchableClaims: new Set<string>() };
  const conditions = { claims: { 'custom:team': ['orders'] } };
  const underNarrower = (options: Partial<PolicySyncOptions> = {}) =>
    started({ rules: narrower, table: t.another(undefined, narrower), ...options });
  const replace = async (next: RoleMapping, expectedVersion: number) => {
    const edit = { id: next.id, expectedVersion, mapping: next, actor: 'alice', reason: 'test' };
    await t.table.write(edit);
  };

  it('is the deny that the change log has before it, for whoever starts from nothing', async () => {
    await t.create(mapping('orders'));
    await t.create(denial('stop', 'client-orders'));
    await replace(denial('stop', 'client-orders', { enabled: false, conditions }), 1);
    const probe = await underNarrower({ snapshotFile: join(folder, 'none') });
    expect(probe.sync.quarantined()).toMatchObject([{ id: 'stop' }]);
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
  });

  it('is no grant that was taken back meanwhile', async () => {
    await t.create(mapping('orders'));
    await ranBefore();
    await replace(mapping('orders', { role: mapping('ghost').role }), 1);
    await replace(mapping('orders', { conditions }), 2);
    const probe = await underNarrower();
    await probe.until(() => probe.sync.revision === 3);
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);
    expect(allows(probe, 'client-orders', 'ghost')).toBe(true);
    expect(probe.alarms).toEqual(['quarantine']);
  });
});

it('an entry without its text is no deletion of a deny (T323)', async () => {
  await t.create(mapping('orders'));
  await t.create(denial('stop', 'client-orders'));
  await ranBefore();
  const key = ['CHANGES#000000000000000', '000000000000003'] as const;
  await t.editRaw('stop', JSON.stringify(denial('stop', 'client-orders')), 2);
  const { after, ...rest } = (await t.getRaw(...key)) ?? {};
  await t.putItem({ ...rest, text: after ?? { S: '' } });

  const probe = await started();
  await probe.tick();
  expect(probe.alarms).toContain('change_log_gap');
  expect(allows(probe, 'client-orders', 'orders')).toBe(false);
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

  it('with acceptShrink does not go back behind what polls brought meanwhile (T307)', async () => {
    await t.create(mapping('orders'));
    await ranBefore();
    const loads = heldLoads(t.table);
    fixture.server.setFault({ kind: 'reset' });
    const probe = await started({ table: loads.table, acceptShrink: true });
    fixture.server.setFault();
    await probe.tick();
    await loads.loaded;
    await t.create(denial('stop', 'client-orders'));
    await probe.sync.refresh();
    expect(allows(probe, 'client-orders', 'orders')).toBe(false);

    const lifted = await wasEverAfter(loads, probe, () => allows(probe, 'client-orders', 'orders'));
    expect(lifted).toBe(false);
    expect(probe.sync.revision).toBe(2);
  });
});
