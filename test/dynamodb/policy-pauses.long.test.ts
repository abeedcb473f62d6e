import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { MappingRules } from '../../src/core/policy/mapping-check.ts';
import { ShardedMap } from '../../src/core/policy/sharded-map.ts';
import { judgeReload } from '../../src/dynamodb/policy-steps.ts';
import { readMapping, type ValidRow } from '../../src/dynamodb/role-mapping-item.ts';
import { eachTurn } from '../support/each-turn.ts';
import { forwardingTable } from './forwarding-table.ts';
import { probeSync, type SyncProbe } from './sync-probe.ts';
import {
  ids,
  logPk,
  mapping,
  rules,
  skOf,
  startTableFixture,
  type TableFixture,
  type TestTable,
} from './table-fixture.ts';

/** More than are done in one turn. */
const many = 160;
/** Of checks, or of whatever takes as long. */
const mostPerTurn = 100;

let fixture: TableFixture;
let t: TestTable;
let probe: SyncProbe | undefined;

beforeAll(async () => {
  fixture = await startTableFixture();
});
beforeEach(async () => {
  t = await fixture.table();
});
afterEach(async () => {
  await probe?.sync.stop();
  probe = undefined;
});
afterAll(() => fixture.stop());

/** Rows of one version, with their entries of the change log, as so many edits leave them; HEAD comes last. */
async function editAll(names: readonly string[], version: number): Promise<void> {
  const revision = (version - 1) * names.length;
  await Promise.all(
    names.map(async (id, index) => {
      const claims = { 'custom:team': [`team-${version}`] };
      const text = JSON.stringify(mapping(id, { conditions: { claims } }));
      const facts = {
        version,
        revision: revision + index + 1,
        action: version === 1 ? 'create' : 'replace',
      };
      await t.putRaw({ pk: logPk, sk: skOf(facts.revision), id, ...facts, after: text });
      await t.putRaw({ pk: `MAPPING#${id}`, sk: 'CURRENT', ...facts, mapping: text });
    }),
  );
  const head = { revision: version * names.length, mappings: names.length };
  await t.putRaw({ pk: 'HEAD', sk: 'HEAD', ...head });
}

/** Counts how many mappings are checked: each has one claim, which is looked up here. */
function countingRules(): { readonly rules: MappingRules; count: number } {
  const counter = { rules, count: 0 };
  class Counted extends Set<string> {
    override has(name: string): boolean {
      counter.count += 1;
      return super.has(name);
    }
  }
  counter.rules = { ...rules, matchableClaims: new Counted(rules.matchableClaims) };
  return counter;
}

describe('many changes at once', () => {
  const names = ids(many);

  it('are read and checked in turns, and put in force together (T311)', async () => {
    await editAll(names, 1);
    const counter = countingRules();
    probe = probeSync({ table: t.another(undefined, counter.rules), rules: counter.rules });
    const { sync } = probe;
    await sync.start();
    await editAll(names, 2);

    const seen = new Set<string>();
    let most = 0;
    counter.count = 0;
    await eachTurn(sync.refresh(), () => {
      most = Math.max(most, counter.count);
      counter.count = 0;
      const { revision, byId } = sync.current();
      const versions = new Set([...byId.values()].map(({ version }) => version));
      seen.add(`${revision}: ${[...versions]} of ${byId.size}`);
    });

    expect(most).toBeLessThan(mostPerTurn);
    expect([...seen]).toEqual([`${many}: 1 of ${many}`, `${2 * many}: 2 of ${many}`]);
  });

  it('that the table brings while it is read as a whole are checked in turns as well', async () => {
    await editAll(names, 1);
    const counter = countingRules();
    let most = 0;
    await eachTurn(t.another(undefined, counter.rules).changesSince(0), () => {
      most = Math.max(most, counter.count);
      counter.count = 0;
    });

    expect(most).toBeLessThan(mostPerTurn);
  });

  it('that cannot be read are told of as they are, and no longer than they are', async () => {
    await editAll(names, 1);
    probe = probeSync({ table: t.table });
    const { sync } = probe;
    await sync.start();
    await t.editRaw('row-3', 'no JSON', 2);
    await t.editRaw('row-5', 'no JSON', 2);
    await t.editRaw('new', 'no JSON', 1);
    await sync.refresh();
    const told = () => sync.quarantined().map(({ id, standIn }) => `${id} ${standIn}`);
    expect(told().sort()).toEqual(['new none', 'row-3 last_good', 'row-5 last_good']);

    await t.editRaw('row-3', JSON.stringify(mapping('row-3')), 3);
    await sync.refresh();
    expect(told().sort()).toEqual(['new none', 'row-5 last_good']);
  });
});

describe('a complete read', () => {
  const rowsInAll = 5_000;
  const mostLookedAt = 2_000;

  it('is compared with the change log in turns, where the two agree as well', async () => {
    const text = JSON.stringify(mapping('row'));
    const row = readMapping({ id: 'row', version: 1, text }, rules) as ValidRow;
    const rows = ShardedMap.of(ids(rowsInAll).map((id) => [id, { ...row, id }]));
    const logged = ShardedMap.of(rows);
    let looked = 0;
    const all = logged.keys.bind(logged);
    logged.keys = function* () {
      for (const id of all()) {
        looked += 1;
        yield id;
      }
      return undefined;
    };
    const table = forwardingTable(() => t.table, {
      loggedRows: async () => ({ rows: logged, before: new Map(), links: [] }),
    });
    const loaded = {
      ...{ revision: rowsInAll, writeId: undefined, rows },
      ...{ quarantined: [], overridden: new Set<string>() },
    };

    const counts: number[] = [];
    const judging = judgeReload(table, { loaded, base: undefined, revisionBefore: 0 });
    await eachTurn(judging, () => {
      counts.push(looked);
      looked = 0;
    });

    expect(await judging).toMatchObject({ kind: 'next', unexplained: [] });
    expect(counts.reduce((sum, count) => sum + count)).toBe(rowsInAll);
    expect(Math.max(...counts)).toBeLessThan(mostLookedAt);
  });
});
