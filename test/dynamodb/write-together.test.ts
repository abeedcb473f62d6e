/** Edits that are written together: to the table and to all who read it as if they had been made one by one. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { MappingEdit } from '../../src/core/editing/mapping-history.ts';
import { TooMuchAtOnceError } from '../../src/dynamodb/mapping-writer.ts';
import type { RoleMappingTable } from '../../src/dynamodb/role-mapping-table.ts';
import type { Anchor } from '../../src/dynamodb/seal-anchor.ts';
import { maxEditsAtOnce } from '../../src/dynamodb/transaction-items.ts';
import { FileSigner } from '../../src/signing/file-signer.ts';
import { runs } from '../support/fuzz-budget.ts';
import { type KeyFiles, keyFiles } from '../support/key-files.ts';
import { startSeal, stopSeals } from '../support/started-seal.ts';
import { probeSync } from './sync-probe.ts';
import {
  anchorOf,
  ids,
  mapping,
  startTableFixture,
  type TableFixture,
  type TestTable,
} from './table-fixture.ts';

let fixture: TableFixture;
let t: TestTable;
let folder: string;
let key: KeyFiles;

beforeAll(async () => {
  fixture = await startTableFixture();
  folder = mkdtempSync(path.join(tmpdir(), 'write-together-'));
  key = keyFiles(folder, 'ours');
});
beforeEach(async () => {
  t = await fixture.table();
});
afterEach(() => {
  fixture.server.setFault();
  stopSeals();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await fixture.stop();
});

/** One seal name for both tables, so that their chains can be compared. */
const sealOf = (anchor?: Anchor) =>
  startSeal({
    name: 'same',
    anchor,
    publicKeyFiles: [key.publicKey],
    signer: new FileSigner(key.privateKey),
  });

const create = (id: string, description = ''): MappingEdit => ({
  id,
  expectedVersion: 'absent',
  mapping: mapping(id, { description }),
  actor: 'alice',
  reason: 'ticket 7',
});

/** What everybody can read of it, without what tells one moment and one edit from another. */
async function contents(table: RoleMappingTable) {
  const { revision, rows, quarantined } = await table.loadAll();
  const changes = await table.changesSince(0);
  const histories = changes.map(({ id }) => table.versions(id));
  return {
    revision,
    rows: new Map([...rows.values()].map(({ id, version, stored }) => [id, [version, stored]])),
    quarantined,
    changes: changes.map(({ link: _l, writeId: _w, row: _r, updatedAt: _at, ...rest }) => rest),
    versions: (await Promise.all(histories)).map((versions) =>
      versions.map(({ updatedAt: _at, ...rest }) => rest),
    ),
  };
}

interface Wish {
  readonly id: string;
  readonly keep: boolean;
  readonly text: string;
  readonly proven: boolean;
}

/** Ids of mappings, each time either to be there with this text or not to be there. */
const wishes: fc.Arbitrary<Wish[]> = fc.array(
  fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    keep: fc.boolean(),
    text: fc.constantFrom('one', 'two'),
    proven: fc.boolean(),
  }),
  { minLength: 1, maxLength: 8 },
);

/** The edits that fulfil them one after the other: groups of them name no mapping twice. */
function editsFor(wanted: readonly Wish[]): MappingEdit[] {
  const versions = new Map<string, { version: number; isThere: boolean }>();
  return wanted.flatMap(({ id, keep, text, proven }): MappingEdit[] => {
    const { version, isThere } = versions.get(id) ?? { version: 0, isThere: false };
    if (!keep && !isThere) return [];
    versions.set(id, { version: version + 1, isThere: keep });
    const expectedVersion = isThere ? version : 'absent';
    const edit = { ...create(id, text), expectedVersion, actorProven: proven } as const;
    return [keep ? edit : { ...edit, mapping: undefined }];
  });
}

function groupsBy(edits: readonly MappingEdit[], size: number): MappingEdit[][] {
  const groups: MappingEdit[][] = [];
  for (const edit of edits) {
    const group = groups.at(-1);
    const fits = group !== undefined && group.length < size;
    if (fits && !group.some(({ id }) => id === edit.id)) group.push(edit);
    else groups.push([edit]);
  }
  return groups;
}

describe('Edits that are written together', () => {
  it('T292: leave the rows, the history and the sealed log that they leave one by one', async () => {
    await fc.assert(
      fc.asyncProperty(
        wishes,
        fc.integer({ min: 1, max: 6 }),
        fc.nat({ max: 7 }),
        async (wanted, size, unsealed) => {
          const edits = editsFor(wanted);
          const [single, grouped] = [await fixture.table(), await fixture.table()];
          for (const edit of edits.slice(0, unsealed)) await single.table.write(edit);
          const oneByOne = single.another(await sealOf(await anchorOf(single, 'same')));
          for (const edit of edits.slice(unsealed)) await oneByOne.write(edit);
          const written = [];
          for (const group of groupsBy(edits.slice(0, unsealed), size)) {
            written.push(...(await grouped.table.writeTogether(group)));
          }
          const anchor = await anchorOf(grouped, 'same');
          const together = grouped.another(await sealOf(anchor));
          for (const group of groupsBy(edits.slice(unsealed), size)) {
            written.push(...(await together.writeTogether(group)));
          }
          expect(written.map(({ revision }) => revision)).toEqual(edits.map((_, at) => at + 1));
          expect(await contents(grouped.table)).toEqual(await contents(single.table));
          // A broker that has never seen the table takes every entry.
          const probe = probeSync({ table: grouped.table, seal: await sealOf(anchor) });
          await probe.sync.start();
          expect([probe.sync.current().revision, probe.alarms]).toEqual([edits.length, []]);
          await probe.sync.stop();
        },
      ),
      runs(6),
    );
  });

  it('are as many as a transaction takes, and stand in one', async () => {
    const own = await startTableFixture();
    try {
      const { table } = await own.table();
      const edits = ids(maxEditsAtOnce).map((id) => create(id));
      await table.writeTogether(edits);
      const { calls } = own.server;
      expect(calls.filter((name) => name === 'TransactWriteItems')).toHaveLength(1);
      const changes = await table.changesSince(0);
      expect(changes.map(({ id, revision }) => [id, revision])).toEqual(
        edits.map(({ id }, at) => [id, at + 1]),
      );
    } finally {
      await own.stop();
    }
  });

  it.each([
    ['the first', 0],
    ['one in the middle', 2],
    ['the last', 4],
  ])('are none if one is not based on the row as it is: %s', async (_, at) => {
    const edits = ids(5).map((id) => create(id));
    const id = `row-${at}`;
    await t.create(mapping(id, { description: 'of somebody else' }));
    await expect(t.table.writeTogether(edits)).rejects.toMatchObject({
      code: 'precondition_failed',
    });
    const { rows } = await t.table.loadAll();
    expect([...rows.values()].map((row) => row.stored.mapping.description)).toEqual([
      'of somebody else',
    ]);
    expect(await t.table.head()).toBe(1);
  });

  it('are done once if the answer is lost, and say so', async () => {
    await t.create(mapping('before'));
    fixture.server.setFault({ kind: 'loseAnswer', operations: ['TransactWriteItems'], times: 1 });
    const written = await t.table.writeTogether(ids(3).map((id) => create(id)));
    expect(written.map(({ version, revision }) => [version, revision])).toEqual([
      [1, 2],
      [1, 3],
      [1, 4],
    ]);
    expect(await t.table.head()).toBe(4);
    expect((await t.table.loadAll()).rows.size).toBe(4);
  });

  it('are sent again while the table is too busy', async () => {
    const type = 'ThrottlingException';
    const operations = ['TransactWriteItems'];
    fixture.server.setFault({ kind: 'error', type, status: 400, operations, times: 1 });
    await t.table.writeTogether(ids(3).map((id) => create(id)));
    fixture.server.setFault({ kind: 'error', type, status: 400, operations, times: 3 });
    await t.table.writeTogether([create('alone')]);
    expect(await t.table.head()).toBe(4);
  });

  it('T313: are given up soon where the table has no room for all of them, and none is written', async () => {
    const type = 'ThrottlingException';
    const operations = ['TransactWriteItems'];
    fixture.server.setFault({ kind: 'error', type, status: 400, operations });
    const before = fixture.server.calls.length;
    const writing = t.table.writeTogether(ids(3).map((id) => create(id)));
    await expect(writing).rejects.toThrow(TooMuchAtOnceError);
    const calls = fixture.server.calls.slice(before);
    expect(calls.filter((call) => call === 'TransactWriteItems')).toHaveLength(2);
    fixture.server.setFault();
    expect(await t.table.head()).toBe(0);
  });

  it('are of unknown outcome if the table never answers, all of them alike', async () => {
    fixture.server.setFault({ kind: 'hang', operations: ['TransactWriteItems'] });
    await expect(t.hasty.writeTogether(ids(3).map((id) => create(id)))).rejects.toMatchObject({
      code: 'table_unavailable',
      reason: 'outcome_unknown',
    });
    fixture.server.setFault();
    expect(await t.table.head()).toBe(0);
  });

  it('and those of other editors are all made: whoever loses the race for the head tries again', async () => {
    const [ours, theirs] = [t.another(), t.another()];
    await Promise.all([
      ...[0, 1, 2].map((group) =>
        ours.writeTogether(ids(4, `ours-${group}`).map((id) => create(id))),
      ),
      ...ids(6, 'theirs').map((id) => theirs.write(create(id))),
    ]);
    const changes = await t.table.changesSince(0);
    expect(changes.map(({ revision }) => revision)).toEqual(ids(18).map((_, at) => at + 1));
    for (const group of [0, 1, 2]) {
      const at = changes.findIndex(({ id }) => id === `ours-${group}-0`);
      const own = changes.slice(at, at + 4).map(({ id }) => id);
      expect(own).toEqual(ids(4, `ours-${group}`));
    }
  });
});
