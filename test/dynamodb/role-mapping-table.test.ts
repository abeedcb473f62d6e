import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mapping, startTableFixture, type TableFixture, type TestTable } from './table-fixture.ts';

let fixture: TableFixture;
let t: TestTable;

beforeAll(async () => {
  fixture = await startTableFixture();
});
beforeEach(async () => {
  t = await fixture.table();
});
afterEach(() => fixture.server.setFault());
afterAll(() => fixture.stop());

const byAlice = { actor: 'alice', reason: 'ticket 7' };

describe('creating the table', () => {
  it('leaves an existing table and its rows alone', async () => {
    await t.create(mapping('orders'));

    await t.table.create();

    expect((await t.table.get('orders'))?.version).toBe(1);
  });
});

describe('an edit', () => {
  it('creates, replaces and deletes, each with its own version, revision, author and reason', async () => {
    const first = mapping('orders');
    const second = mapping('orders', { description: 'changed' });

    const created = await t.table.write({
      id: 'orders',
      expectedVersion: 'absent',
      mapping: first,
      ...byAlice,
    });
    const replaced = await t.table.write({
      id: 'orders',
      expectedVersion: 1,
      mapping: second,
      ...byAlice,
    });
    const deleted = await t.table.write({
      id: 'orders',
      expectedVersion: 2,
      mapping: undefined,
      ...byAlice,
    });

    expect(created).toEqual({ version: 1, revision: 1, before: undefined });
    expect(replaced).toEqual({ version: 2, revision: 2, before: { mapping: first, version: 1 } });
    expect(deleted).toEqual({ version: 3, revision: 3, before: { mapping: second, version: 2 } });
    expect(await t.table.get('orders')).toBeUndefined();
    expect(await t.table.head()).toBe(3);
    const history = await t.table.versions('orders');
    expect(history.map(({ version, action, mapping: kept }) => [version, action, kept])).toEqual([
      [3, 'delete', undefined],
      [2, 'replace', second],
      [1, 'create', first],
    ]);
    expect(history[0]).toMatchObject({ updatedBy: 'alice', reason: 'ticket 7', revision: 3 });
    expect((await t.table.version('orders', 2)).mapping).toEqual(second);
  });

  it('takes an editor for proven only where the item says so, and not by a look-alike', async () => {
    const pk = 'MAPPING#orders';
    const row = { pk, sk: 'CURRENT', version: 1, revision: 1, updatedBy: 'us-east-1_X/admin' };
    const item = { ...row, action: 'create', mapping: JSON.stringify(mapping('orders')) };
    for (const look of [{}, { actorProven: 'true' }, { actorProven: 1 }]) {
      await t.putRaw({ ...item, ...look });
      expect(await t.table.get('orders')).toMatchObject({ actorProven: false });
    }
  });

  it('continues the count of versions when a deleted mapping is created again', async () => {
    await t.create(mapping('orders'));
    await t.table.write({ id: 'orders', expectedVersion: 1, mapping: undefined, ...byAlice });

    const again = await t.table.write({
      id: 'orders',
      expectedVersion: 'absent',
      mapping: mapping('orders'),
      ...byAlice,
    });

    expect(again).toEqual({ version: 3, revision: 3, before: undefined });
    expect((await t.table.versions('orders')).map(({ version }) => version)).toEqual([3, 2, 1]);
  });

  it('is in the change log with what was before and after', async () => {
    const first = mapping('orders');
    const second = mapping('orders', { enabled: false });
    await t.create(first);
    await t.table.write({ id: 'orders', expectedVersion: 1, mapping: second, ...byAlice });
    await t.table.write({ id: 'orders', expectedVersion: 2, mapping: undefined, ...byAlice });

    const changes = await t.table.changesSince(1);

    expect(
      changes.map(({ revision, action, before, after }) => [revision, action, before, after]),
    ).toEqual([
      [2, 'replace', first, second],
      [3, 'delete', second, undefined],
    ]);
    expect(changes[0]).toMatchObject({ updatedBy: 'alice', reason: 'ticket 7', id: 'orders' });
  });

  it.each([
    ['create over an existing one', 'absent' as const, 'precondition_failed'],
    ['replace of an older version', 1, 'precondition_failed'],
    ['replace of a version that never was', 7, 'precondition_failed'],
  ])('is refused as a %s, and nothing is written', async (_, expectedVersion, code) => {
    await t.create(mapping('orders'));
    const current = mapping('orders', { description: 'current' });
    await t.table.write({ id: 'orders', expectedVersion: 1, mapping: current, ...byAlice });

    const edit = { id: 'orders', expectedVersion, mapping: mapping('orders'), ...byAlice };

    await expect(t.table.write(edit)).rejects.toMatchObject({ code });
    await expect(t.table.write({ ...edit, mapping: undefined })).rejects.toMatchObject({ code });
    expect(await t.table.head()).toBe(2);
    expect((await t.table.get('orders'))?.mapping).toEqual(current);
    expect(await t.table.versions('orders')).toHaveLength(2);
  });

  it('of a mapping that is not there is answered mapping_not_found', async () => {
    const edit = { id: 'orders', expectedVersion: 1, mapping: undefined, ...byAlice };

    await expect(t.table.write(edit)).rejects.toMatchObject({ code: 'mapping_not_found' });
    await expect(t.table.version('orders', 1)).rejects.toMatchObject({ code: 'mapping_not_found' });
    expect(await t.table.head()).toBe(0);
  });

  it('that could not be read back is refused before anything is sent', async () => {
    const other = { id: 'orders', expectedVersion: 'absent' as const, mapping: mapping('other') };

    await expect(t.table.write({ ...other, ...byAlice })).rejects.toMatchObject({
      code: 'mapping_invalid',
      faults: [{ pointer: '/id', detail: 'must equal the id in the key of the row' }],
    });
    expect(fixture.server.calls.slice(-1)).not.toContain('TransactWriteItems');
  });

  it('can repair a row that no longer parses', async () => {
    await t.create(mapping('orders'));
    await t.putRaw({ pk: 'MAPPING#orders', sk: 'CURRENT', version: 1, mapping: '{"id":' });

    const broken = await t.table.get('orders');
    const repaired = await t.table.write({
      id: 'orders',
      expectedVersion: 1,
      mapping: mapping('orders'),
      ...byAlice,
    });

    expect(broken).toMatchObject({ version: 1, mapping: undefined });
    expect(broken?.faults).not.toHaveLength(0);
    expect(repaired).toEqual({ version: 2, revision: 2, before: undefined });
  });
});

describe('editors at the same time (T51)', () => {
  it('on one version have exactly one winner', async () => {
    await t.create(mapping('orders'));
    const shared = t.another();
    const edits = Array.from({ length: 8 }, (_, index) =>
      (index < 4 ? shared : t.another()).write({
        id: 'orders',
        expectedVersion: 1,
        mapping: mapping('orders', { description: `editor ${index}` }),
        ...byAlice,
      }),
    );

    const outcomes = await Promise.allSettled(edits);

    const lost = outcomes.flatMap((o) => (o.status === 'rejected' ? [o.reason] : []));
    expect(lost).toHaveLength(7);
    for (const reason of lost) expect(reason).toMatchObject({ code: 'precondition_failed' });
    expect(await t.table.head()).toBe(2);
  });
});

describe('an edit whose answer is lost', () => {
  const edits = [
    ['creation', 'absent' as const, mapping('orders')],
    ['replacement', 1, mapping('orders', { description: 'changed' })],
    ['deletion', 1, undefined],
  ] as const;

  it.each(edits)('is recognised as done and not done twice: %s', async (_, expected, after) => {
    if (expected !== 'absent') await t.create(mapping('orders'));
    const start = await t.table.head();
    fixture.server.setFault({ kind: 'loseAnswer', operations: ['TransactWriteItems'], times: 1 });

    const done = await t.table.write({
      id: 'orders',
      expectedVersion: expected,
      mapping: after,
      ...byAlice,
    });

    expect(done).toMatchObject({ version: start + 1, revision: start + 1 });
    expect(await t.table.head()).toBe(start + 1);
    expect((await t.table.get('orders'))?.mapping).toEqual(after);
  });

  it('is recognised even if somebody else has replaced the mapping since', async () => {
    await t.create(mapping('orders'));
    const rival = t.another();
    fixture.server.setFault({ kind: 'loseAnswer', operations: ['TransactWriteItems'], times: 1 });
    const first = t.table.write({
      id: 'orders',
      expectedVersion: 1,
      mapping: mapping('orders', { description: 'first' }),
      ...byAlice,
    });
    const second = untilDone(() =>
      rival.write({
        id: 'orders',
        expectedVersion: 2,
        mapping: mapping('orders', { description: 'second' }),
        ...byAlice,
      }),
    );

    await expect(first).resolves.toMatchObject({ version: 2, revision: 2 });
    await second;
    expect(await t.table.head()).toBe(3);
  });

  it('is done once when the first try never arrived', async () => {
    fixture.server.setFault({ kind: 'reset', operations: ['TransactWriteItems'], times: 1 });

    await t.create(mapping('orders'));

    expect(await t.table.head()).toBe(1);
  });

  it('is reported as unknown, not as failed, when the table stays silent', async () => {
    await t.create(mapping('orders'));
    fixture.server.setFault({ kind: 'hang', operations: ['TransactWriteItems'] });

    const edit = t.hasty.write({
      id: 'orders',
      expectedVersion: 1,
      mapping: undefined,
      ...byAlice,
    });

    await expect(edit).rejects.toMatchObject({
      code: 'table_unavailable',
      reason: 'outcome_unknown',
      detail: expect.stringContaining('not known'),
    });
  }, 15_000);
});

describe('a table that does not answer', () => {
  it.each([
    ['hangs', { kind: 'hang' } as const],
    ['cuts connections', { kind: 'reset' } as const],
    ['fails', { kind: 'error', type: 'InternalServerError', status: 500 } as const],
    ['refuses access', { kind: 'error', type: 'AccessDeniedException', status: 400 } as const],
    ['breaks off its answers', { kind: 'truncatePage' } as const],
  ])(
    'is table_unavailable for reads and writes, within the deadline, when it %s',
    async (_, fault) => {
      await t.create(mapping('orders'));
      fixture.server.setFault(fault);
      const code = 'table_unavailable';

      await expect(t.hasty.head()).rejects.toMatchObject({ code });
      await expect(t.hasty.get('orders')).rejects.toMatchObject({ code });
      await expect(t.hasty.loadAll()).rejects.toMatchObject({ code });
      await expect(t.hasty.versions('orders')).rejects.toMatchObject({ code });
      await expect(t.hasty.changesSince(0)).rejects.toMatchObject({ code });
      const another = {
        id: 'other',
        expectedVersion: 'absent',
        mapping: mapping('other'),
      } as const;
      await expect(t.hasty.write({ ...another, ...byAlice })).rejects.toMatchObject({ code });
    },
  );
});

describe('a complete read', () => {
  it('gives every current mapping at the revision of the table, and none that was deleted', async () => {
    for (const id of ['a', 'b', 'c']) await t.create(mapping(id));
    await t.table.write({ id: 'b', expectedVersion: 1, mapping: undefined, ...byAlice });

    const loaded = await t.table.loadAll();

    expect(loaded.revision).toBe(4);
    expect(new Set(loaded.rows.keys())).toEqual(new Set(['a', 'c']));
    expect(loaded.quarantined).toEqual([]);
  });

  it('is one picture although the table changes all the while', async () => {
    const count = 12;
    for (let index = 0; index < count; index++) await t.create(mapping(`row-${index}`));
    const reading = new AbortController();
    const editor = (async () => {
      for (let version = 1; !reading.signal.aborted; version++) {
        // Two rows that are always edited one after the other, and one that comes and goes.
        const fields = { description: String(version) };
        for (const id of ['row-0', 'row-1']) {
          const edited = mapping(id, fields);
          const override = version % 2 === 1;
          const edit = { id, expectedVersion: version, mapping: edited, override, ...byAlice };
          await t.table.write(edit);
        }
        const gone = await t.table.get('row-2');
        const expectedVersion = gone?.version ?? 'absent';
        const next = gone === undefined ? mapping('row-2') : undefined;
        const edit = { id: 'row-2', mapping: next, override: true, ...byAlice };
        await t.table.write({ ...edit, expectedVersion });
      }
    })();
    const reader = t.another();

    for (let load = 0; load < 15; load++) {
      const { revision, rows, overridden } = await reader.loadAll();
      const versions = new Map([...rows.values()].map((row) => [row.id, row.version]));
      // Revision 12 + 3k: k rounds are whole; each step of a round is one more.
      const rounds = Math.floor((revision - count) / 3);
      const step = (revision - count) % 3;
      expect(versions.get('row-0')).toBe(1 + rounds + (step >= 1 ? 1 : 0));
      expect(versions.get('row-1')).toBe(1 + rounds + (step >= 2 ? 1 : 0));
      expect(versions.has('row-2')).toBe(rounds % 2 === 0);
      // Only the last edit of a row that is there counts.
      expect(overridden).toEqual(new Set(idsByHand(versions)));
    }
    reading.abort();
    await editor;
  }, 30_000);

  it('is refused when the table gives fewer rows than it counts', async () => {
    for (const id of ['a', 'b', 'c']) await t.create(mapping(id));
    fixture.server.setFault({ kind: 'shrinkScan', dropFraction: 0.1, operations: ['Scan'] });

    await expect(t.table.loadAll()).rejects.toMatchObject({ reason: 'incomplete_read' });
  });

  it.each([
    ['', undefined],
    [', also where these ids were checked before', (id: string) => mapping(id)],
  ])('sets a row that does not parse aside and gives the others%s', async (_, checked) => {
    await t.create(mapping('good'));
    await t.putRaw({ pk: 'MAPPING#no-json', sk: 'CURRENT', version: 1, mapping: '{"id":' });
    await t.putRaw({ pk: 'MAPPING#no-version', sk: 'CURRENT', mapping: text('no-version') });
    await t.putRaw({ pk: 'MAPPING#alias', sk: 'CURRENT', version: 1, mapping: text('good') });
    await t.putRaw({ pk: 'MAPPING#Not An Id', sk: 'CURRENT', version: 1, mapping: text('good') });
    await t.putRaw({ pk: 'ELSEWHERE', sk: 'CURRENT', version: 1, mapping: text('elsewhere') });
    await t.putRaw({ pk: 'MAPPING#huge', sk: 'CURRENT', version: 1, mapping: huge() });

    const { rows, quarantined } = await t.table.loadAll(checked && { checked });

    expect([...rows.keys()]).toEqual(['good']);
    const named = quarantined.map(({ id, faults }) => [id.replace(/-[0-9a-f]{16}$/, ''), faults]);
    expect(named.map(([id]) => id).sort()).toEqual([
      'alias',
      'huge',
      'no-json',
      'no-version',
      'unreadable',
      'unreadable',
    ]);
    for (const [, faults] of named) expect(faults).not.toHaveLength(0);
  });
});

/** Of that editor, which overrides each second time, and always where a row comes back. */
function idsByHand(versions: ReadonlyMap<string, number>) {
  const isByHand = (id: string, version: number) =>
    id === 'row-2' ? version > 1 : version % 2 === 0;
  return [...versions].flatMap(([id, version]) => (isByHand(id, version) ? [id] : []));
}

describe('the change log', () => {
  it('is refused with a gap, or without its end', async () => {
    for (const id of ['a', 'b', 'c']) await t.create(mapping(id));
    const entry = { pk: 'CHANGES#000000000000000', sk: '000000000000002' };
    await t.deleteRaw(entry.pk, entry.sk);
    const reason = 'incomplete_read';

    await expect(t.table.changesSince(0)).rejects.toMatchObject({ reason });
    await expect(t.table.changesSince(1)).rejects.toMatchObject({ reason });
    await expect(t.table.changesSince(2, { through: 4 })).rejects.toMatchObject({ reason });
    await expect(t.table.changesSince(2)).resolves.toHaveLength(1);
    await expect(t.table.changesSince(3)).resolves.toEqual([]);
  });

  it('goes on over the border of a bucket', async () => {
    await t.putRaw({ pk: 'HEAD', sk: 'HEAD', revision: 998, mappings: 0 });
    for (const id of ['a', 'b', 'c', 'd']) await t.create(mapping(id));

    const changes = await t.table.changesSince(998);

    expect(changes.map(({ revision }) => revision)).toEqual([999, 1000, 1001, 1002]);
    expect(await t.getRaw('CHANGES#000000000000000', '000000000001000')).toBeDefined();
    expect(await t.getRaw('CHANGES#000000000000001', '000000000001001')).toBeDefined();
  });

  it('is given in pieces of the size asked for', async () => {
    for (const id of ['a', 'b', 'c']) await t.create(mapping(id));

    const piece = await t.table.changesSince(0, { limit: 2 });

    expect(piece.map(({ revision }) => revision)).toEqual([1, 2]);
  });
});

function text(id: string): string {
  return JSON.stringify(mapping(id));
}

function huge(): string {
  const scopes = Array.from({ length: 20_000 }, (_, index) => `s${index}`);
  return JSON.stringify({ ...mapping('huge'), conditions: { scopes } });
}

/** Repeats an edit that must wait for another editor's. */
async function untilDone(edit: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await edit();
      return;
    } catch (error) {
      expect(error).toMatchObject({ code: 'precondition_failed' });
    }
  }
}
