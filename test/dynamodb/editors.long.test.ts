import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mapping, startTableFixture, type TableFixture, type TestTable } from './table-fixture.ts';

let fixture: TableFixture;
let t: TestTable;

beforeAll(async () => {
  fixture = await startTableFixture();
  t = await fixture.table();
});
afterAll(() => fixture.stop());

const byAlice = { actor: 'alice', reason: 'ticket 7' };

describe('editors at the same time (T51)', () => {
  it('on different mappings lose no edit, in one process or in several', async () => {
    const shared = t.another();
    const editors = Array.from({ length: 10 }, (_, index) => ({
      table: index < 5 ? shared : t.another(),
      id: `editor-${index}`,
    }));
    const editsEach = 20;

    await Promise.all(
      editors.map(async ({ table, id }) => {
        for (let version = 0; version < editsEach; version++) {
          await table.write({
            id,
            expectedVersion: version === 0 ? 'absent' : version,
            mapping: mapping(id, { description: `edit ${version + 1}` }),
            ...byAlice,
          });
        }
      }),
    );

    const total = editors.length * editsEach;
    expect(await t.table.head()).toBe(total);
    const changes = await t.table.changesSince(0);
    expect(changes.map(({ revision }) => revision)).toEqual(
      Array.from({ length: total }, (_, index) => index + 1),
    );
    for (const { id } of editors) {
      const own = changes.filter((change) => change.id === id).map(({ version }) => version);
      expect(own).toEqual(Array.from({ length: editsEach }, (_, index) => index + 1));
      expect((await t.table.get(id))?.mapping?.description).toBe(`edit ${editsEach}`);
    }
  }, 180_000);
});
