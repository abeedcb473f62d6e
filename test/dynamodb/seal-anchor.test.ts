/** From where seals count: a history that nobody has sealed, or that was put back, is not believed by whoever has seen nothing. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { PolicySyncOptions } from '../../src/dynamodb/policy-sync.ts';
import type { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import type { Anchor } from '../../src/dynamodb/seal-anchor.ts';
import type { TableSealOptions } from '../../src/dynamodb/table-seal.ts';
import { FileSigner } from '../../src/signing/file-signer.ts';
import { runs } from '../support/fuzz-budget.ts';
import { type KeyFiles, keyFiles } from '../support/key-files.ts';
import { startSeal, stopSeals } from '../support/started-seal.ts';
import { allows, type SyncProbe, startProbe, stopProbes } from './sync-probe.ts';
import {
  anchorOf,
  logPk,
  mapping,
  pool,
  skOf,
  startTableFixture,
  type TableFixture,
  type TestTable,
} from './table-fixture.ts';

let fixture: TableFixture;
let folder: string;
let keys: KeyFiles;

beforeAll(async () => {
  fixture = await startTableFixture();
  folder = mkdtempSync(path.join(tmpdir(), 'seal-anchor-'));
  keys = keyFiles(folder, 'ours');
});
afterEach(stopAll);
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await fixture.stop();
});

async function stopAll(): Promise<void> {
  await stopProbes();
  stopSeals();
}

const sealOf = ({ name }: TestTable, options: Partial<TableSealOptions> = {}) =>
  startSeal({ name, publicKeyFiles: [keys.publicKey], ...options });

async function editorOf(t: TestTable, anchor: Anchor | undefined): Promise<RoleMappingTable> {
  return t.another(await sealOf(t, { anchor, signer: new FileSigner(keys.privateKey) }));
}

/** Reads, and has no key that signs. `anchor`: `off` for one that knows nothing of seals. */
async function brokerOf(
  t: TestTable,
  anchor: Anchor | undefined | 'off',
  options: Partial<PolicySyncOptions> = {},
): Promise<SyncProbe> {
  const seal = anchor === 'off' ? undefined : await sealOf(t, { anchor });
  return await startProbe({ table: t.table, seal, ...options });
}

const edited = (table: RoleMappingTable, id: string) =>
  table.write({
    id,
    expectedVersion: 'absent',
    mapping: mapping(id),
    actor: 'alice',
    reason: 'test',
  });

const ghost = mapping('ghost', { principal: { pool, client: 'client-mallory' } });

interface History {
  /** Revisions that were made before seals began. */
  readonly unsealed: number;
  readonly revisions: number;
  /** A snapshot file of this revision is kept, by whatever was configured then. */
  readonly savedAt?: number | undefined;
}

interface Made {
  readonly t: TestTable;
  /** Of each revision from `unsealed` on. */
  readonly anchors: readonly (Anchor | undefined)[];
  readonly snapshotFile: string;
}

/** Revision n creates the mapping `m-n`. */
async function make({ unsealed, revisions, savedAt }: History): Promise<Made> {
  const t = await fixture.table();
  const snapshotFile = path.join(folder, `${t.name}.json`);
  const anchors: (Anchor | undefined)[] = [];
  let editor = t.table;
  for (let revision = 0; revision <= revisions; revision++) {
    if (revision > 0) await edited(editor, `m-${revision}`);
    if (revision >= unsealed) anchors[revision] = await anchorOf(t);
    if (revision === unsealed) editor = await editorOf(t, anchors[unsealed]);
    if (revision !== savedAt) continue;
    const saving = await brokerOf(t, revision < unsealed ? 'off' : anchors[unsealed], {
      snapshotFile,
    });
    await saving.sync.stop();
  }
  return { t, anchors, snapshotFile };
}

interface Attack {
  /** The revision that the table is put back to, with nothing after it. */
  readonly head: number;
  /** An entry that now grants a role, with its row; 0: none. */
  readonly forged: number;
  /** The seals of all entries from that one on are taken off. */
  readonly stripped: boolean;
}

/** By somebody with all rights to the table. */
async function attack(t: TestTable, revisions: number, how: Attack): Promise<void> {
  for (let revision = revisions; revision > how.head; revision--) {
    await t.deleteRaw(logPk, skOf(revision));
    for (const sk of ['CURRENT', 'V#0000000001']) await t.deleteRaw(`MAPPING#m-${revision}`, sk);
  }
  if (how.head < revisions) await putHead(t, how.head);
  if (how.forged > 0) await forge(t, how);
}

async function putHead(t: TestTable, head: number): Promise<void> {
  await t.deleteRaw('HEAD', 'HEAD');
  if (head === 0) return;
  const { writeId = { S: '' } } = (await t.getRaw(logPk, skOf(head))) ?? {};
  const counts = { revision: { N: String(head) }, mappings: { N: String(head) } };
  await t.putItem({ pk: { S: 'HEAD' }, sk: { S: 'HEAD' }, ...counts, writeId });
}

async function forge(t: TestTable, { head, forged, stripped }: Attack): Promise<void> {
  const text = { S: JSON.stringify(ghost) };
  for (let revision = forged; revision <= head; revision++) {
    const { seal, chain, ...entry } = (await t.getRaw(logPk, skOf(revision))) ?? {};
    const seals = stripped || seal === undefined || chain === undefined ? {} : { seal, chain };
    const says = revision === forged ? { id: { S: 'ghost' }, after: text } : {};
    await t.putItem({ ...entry, ...seals, ...says });
  }
  const row = await t.getRaw(`MAPPING#m-${forged}`, 'CURRENT');
  await t.deleteRaw(`MAPPING#m-${forged}`, 'CURRENT');
  await t.putItem({ ...row, pk: { S: 'MAPPING#ghost' }, sk: { S: 'CURRENT' }, mapping: text });
}

const revisionInForce = ({ sync }: SyncProbe) => {
  try {
    return sync.current().revision;
  } catch {
    return undefined;
  }
};

const grantsGhost = (probe: SyncProbe) =>
  revisionInForce(probe) !== undefined && allows(probe, 'client-mallory', 'ghost');

describe('a history that nobody has sealed', () => {
  it.each([
    ['up to where seals begin', { head: 3, forged: 2, stripped: false }],
    ['that is shorter', { head: 2, forged: 2, stripped: false }],
    ['with the seals taken off those that had one', { head: 5, forged: 2, stripped: true }],
    ['before those that are sealed', { head: 5, forged: 2, stripped: false }],
    ['that is true, and shorter than where seals begin', { head: 2, forged: 0, stripped: false }],
    ['of nothing at all', { head: 0, forged: 0, stripped: false }],
  ])('is not believed by a broker without a snapshot file: %s (T325)', async (_, how) => {
    const { t, anchors } = await make({ unsealed: 3, revisions: 5 });
    await attack(t, 5, how);

    const fresh = await brokerOf(t, anchors[3]);
    expect(revisionInForce(fresh)).toBe(undefined);
    expect(fresh.alarms).toEqual(['seal_broken']);
    // Nor with leave to take what is there, nor by whoever has no anchor for it.
    const accepting = await brokerOf(t, anchors[3], { acceptShrink: true });
    expect(revisionInForce(accepting)).toBe(undefined);
    if (how.head === 0) return;
    const without = await brokerOf(t, undefined);
    expect(revisionInForce(without)).toBe(undefined);
  });

  it.each([
    ['up to where seals begin', { head: 3, forged: 2, stripped: false }],
    ['that is shorter', { head: 2, forged: 2, stripped: false }],
    ['of nothing at all', { head: 0, forged: 0, stripped: false }],
  ])('is sealed by no editor, who would make it true: %s (T325)', async (_, how) => {
    const { t, anchors } = await make({ unsealed: 3, revisions: 5 });
    await attack(t, 5, how);

    const honest = edited(await editorOf(t, anchors[3]), 'late');
    await expect(honest).rejects.toMatchObject({ code: 'change_not_sealed' });
    expect(await t.table.head()).toBe(how.head);
  });

  it('is taken as the anchor has it, before the first seal and after it', async () => {
    const { t, anchors } = await make({ unsealed: 3, revisions: 3 });
    expect(revisionInForce(await brokerOf(t, anchors[3]))).toBe(3);
    await edited(await editorOf(t, anchors[3]), 'late');
    expect(revisionInForce(await brokerOf(t, anchors[3]))).toBe(4);
  });
});

describe('a sealed table that was put back', () => {
  it('is not taken from before the anchor by a broker that has seen nothing (T326)', async () => {
    const { t, anchors } = await make({ unsealed: 0, revisions: 5 });
    await attack(t, 5, { head: 3, forged: 0, stripped: false });

    expect(revisionInForce(await brokerOf(t, anchors[4]))).toBe(undefined);
    expect(revisionInForce(await brokerOf(t, anchors[4], { acceptShrink: true }))).toBe(undefined);
    await expect(edited(await editorOf(t, anchors[4]), 'late')).rejects.toMatchObject({
      code: 'change_not_sealed',
    });
    // The price of an anchor that stays behind.
    expect(revisionInForce(await brokerOf(t, anchors[3]))).toBe(3);
  });

  it('is not taken where other edits went on from there (T326)', async () => {
    const { t, anchors } = await make({ unsealed: 0, revisions: 5 });
    await attack(t, 5, { head: 3, forged: 0, stripped: false });
    const unaware = await editorOf(t, undefined);
    for (const id of ['a', 'b', 'c']) await edited(unaware, id);

    const fresh = await brokerOf(t, anchors[4]);
    expect(revisionInForce(fresh)).toBe(undefined);
    expect(fresh.alarms).toEqual(['seal_broken']);
  });

  it('is not confirmed to a broker whose snapshot file is older than the anchor (T326)', async () => {
    const { t, anchors, snapshotFile } = await make({ unsealed: 0, revisions: 5, savedAt: 3 });
    await attack(t, 5, { head: 3, forged: 0, stripped: false });

    const probe = await brokerOf(t, anchors[4], { snapshotFile });
    await probe.until(() => probe.alarms.includes('seal_broken'));
    expect(await probe.tick()).toBe('refused');
  });
});

describe('whatever somebody with all rights to the table makes of its past', () => {
  const revisions = 3;
  const cases = fc
    .record({
      unsealed: fc.nat({ max: revisions }),
      anchoredAt: fc.nat({ max: revisions }),
      savedAt: fc.option(fc.nat({ max: revisions }), { nil: undefined, freq: 1 }),
      head: fc.nat({ max: revisions }),
      forged: fc.nat({ max: revisions }),
      stripped: fc.boolean(),
    })
    .map((made) => ({
      ...made,
      anchoredAt: Math.max(made.anchoredAt, made.unsealed),
      forged: Math.min(made.forged, made.head),
    }));

  it('grants nothing, and nothing from before the anchor is confirmed (T325, T326)', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ unsealed, anchoredAt, savedAt, ...how }) => {
        const { t, anchors, snapshotFile } = await make({ unsealed, revisions, savedAt });
        const anchor = anchors[anchoredAt];
        await attack(t, revisions, how);
        const fresh = await brokerOf(t, anchor);
        const isTaken = how.forged === 0 && how.head >= anchoredAt;
        expect(revisionInForce(fresh)).toBe(isTaken ? how.head : undefined);

        const restarted = await brokerOf(t, anchor, { snapshotFile });
        await restarted.tick();
        expect(grantsGhost(restarted)).toBe(false);
        const seen = Math.max(anchoredAt, savedAt ?? 0);
        const confirmed = restarted.sync.alarms.length === 0;
        expect(confirmed && how.head < seen).toBe(false);
        // What was sealed once is not lost by honest use.
        expect(confirmed || how.forged > 0 || how.head < seen).toBe(true);
        await stopAll();
      }),
      // Each makes a table and starts three brokers.
      runs(12),
    );
  });
});
