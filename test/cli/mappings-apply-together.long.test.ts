/** An apply of many changes: several are written at once, and it is as if they had been made one after the other. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { verifyAuditLog } from '../../src/audit/verify.ts';
import { groupsOf } from '../../src/cli/apply-group.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import type { Config } from '../../src/config/schema.ts';
import { BrokerError } from '../../src/core/errors.ts';
import { maxEditsAtOnce } from '../../src/dynamodb/transaction-items.ts';
import { systemClock } from '../../src/kit/timing/clock.ts';
import type { PlannedChange } from '../../src/mapping-files/mapping-plan.ts';
import { runs } from '../support/fuzz-budget.ts';
import { mappingText, row, type TableUnderTest, terminal } from '../support/mapping-folder.ts';
import { mappingStack } from '../support/mapping-stack.ts';
import { until } from '../support/until.ts';

const stack = mappingStack();
const { folders } = stack;

afterEach(() => stack.server.setFault());

/** In two transactions. */
const many = maxEditsAtOnce + 2;
/** In one. */
const few = 6;
const idOf = (index: number) => `m-${String(index).padStart(3, '0')}`;
const sorted = (ids: readonly string[]) => [...ids].sort((a, b) => (a < b ? -1 : 1));
const idsTo = (count: number) => Array.from({ length: count }, (_, index) => idOf(index));

function folderOf(count: number, more: (index: number) => string = () => ''): string {
  const text = idsTo(count).map((id, index) => mappingText(id, more(index)));
  return folders.folder({ 'all.yaml': text.join('\n---\n') });
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
function records({ audit }: Config): any[] {
  return readFileSync(join(audit.directory ?? '', 'apply', 'audit.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'mapping_change');
}

async function log(table: TableUnderTest) {
  return (await table.table.changesSince(0)).map(({ id, action }) => [action, id]);
}

async function putFew({ table }: TableUnderTest) {
  await table.writeTogether(
    idsTo(few).map((id) => ({
      id,
      expectedVersion: 'absent',
      mapping: row(id, { description: 'before' }),
      actor: 'somebody else',
      reason: 'test',
    })),
  );
}

/** Says yes, and does something once the first changes are on their way. */
function atFirstWrite(act: () => void): Terminal {
  let isDone = false;
  return {
    ...terminal('yes'),
    showProgress(text) {
      if (isDone || !/^\d+ of \d+: /.test(text)) return;
      isDone = true;
      act();
    },
  };
}

describe('an apply of many changes', () => {
  it('T292: makes them in the order of the plan, each with its record and in its history', async () => {
    const table = await stack.newTable();
    await table.put(row('gone'));
    await table.put(row(idOf(3), { description: 'before' }));
    const directory = folderOf(many, (index) => (index === many - 1 ? '' : `precedence: ${index}`));
    const deny = mappingText('g-new-deny').replace('effect: allow', 'effect: deny');
    writeFileSync(join(directory, 'g.yaml'), deny);
    const { code, out } = await table.apply(directory, { prune: true, json: true });
    expect(code).toBe(0);
    const created = idsTo(many).filter((id) => id !== idOf(3));
    const order = [
      ['create', 'g-new-deny'],
      ...created.map((id) => ['create', id]),
      ['replace', idOf(3)],
      ['delete', 'gone'],
    ];
    expect((await log(table)).slice(2)).toEqual(order);
    expect(JSON.parse(out).applied).toEqual(
      order.map(([action, id], at) => ({
        ...{ id, action, revision: at + 3 },
        version: action === 'create' ? 1 : 2,
      })),
    );
    const documents = await table.documents();
    expect(sorted(Object.keys(documents))).toEqual(['g-new-deny', ...idsTo(many)]);
    expect(documents[idOf(5)]).toEqual(row(idOf(5), { precedence: 5 }));
    const recorded = records(table.config);
    expect(sorted(recorded.map(({ mappingId }) => mappingId))).toEqual(
      sorted(order.map(([, id = '']) => id)),
    );
    expect(new Set(recorded.map(({ outcome }) => outcome))).toEqual(new Set(['authorized']));
    const location = join(table.config.audit.directory ?? '', 'apply');
    expect((await verifyAuditLog({ location })).intact).toBe(true);
    expect((await table.plan(directory)).code).toBe(0);
  });

  it('shows whoever reads meanwhile what the plan has made up to some change, and nothing else', async () => {
    const table = await stack.newTable();
    const applying = table.apply(folderOf(2 * maxEditsAtOnce));
    let isDone = false;
    const done = applying.finally(() => {
      isDone = true;
    });
    const seen: number[] = [];
    while (!isDone) {
      const { revision, rows } = await table.table.loadAll();
      seen.push(revision);
      expect(sorted([...rows.keys()])).toEqual(idsTo(revision));
    }
    expect((await done).code).toBe(0);
    expect(seen.length).toBeGreaterThan(0);
  });

  it.each([
    [
      'a row that somebody has changed',
      'replace',
      (text: string) => text.replace('"version": 1', '"version": 9'),
      'precondition_failed',
    ],
    [
      'one that no rule allows',
      'create',
      (text: string) => text.replaceAll(`role/broker/${idOf(3)}"`, 'role/OrgAdmin"'),
      'mapping_invalid',
    ],
  ])(
    'stops at %s: what is before it is made, and nothing after it',
    async (_, action, alter, codeOfIt) => {
      const table = await stack.newTable();
      if (action === 'replace') await putFew(table);
      const start = await table.table.head();
      const directory = folderOf(few);
      const plan = folders.path(`${table.config.policy.table}.json`);
      await table.plan(directory, { out: plan });
      const text = readFileSync(plan, 'utf8');
      const at = text.indexOf(`"id": "${idOf(3)}"`);
      writeFileSync(plan, text.slice(0, at) + alter(text.slice(at)));
      const { code, out, err } = await table.apply(undefined, { plan, json: true });
      expect([code, err]).toEqual([
        1,
        expect.stringContaining(`Stopped after 3 of ${few} changes.`),
      ]);
      expect(JSON.parse(out)).toMatchObject({
        revision: start + 3,
        failed: { id: idOf(3), code: codeOfIt },
      });
      expect((await log(table)).slice(start)).toEqual(idsTo(3).map((id) => [action, id]));
      // The log of the apply takes back what it said of those that were not reached.
      const last = new Map(records(table.config).map((one) => [one.mappingId, one.outcome]));
      const sent = idsTo(few);
      expect(sent.map((id) => last.get(id))).toEqual(
        sent.map((_id, index) => (index < 3 ? 'authorized' : 'refused')),
      );
      expect((await table.apply(directory)).code).toBe(0);
      expect((await table.plan(directory)).code).toBe(0);
    },
  );

  it.each([0, 3, few - 1])(
    'T292: and an edit by the API of its change %i at the same time: one of both stops, and nothing is lost',
    async (at) => {
      const table = await stack.newTable();
      await putFew(table);
      let byHand: Promise<unknown> | undefined;
      const racing = atFirstWrite(() => {
        const edited = row(idOf(at), { description: 'by hand' });
        byHand = table.byHand(idOf(at), edited).then(
          () => 'made',
          (error: unknown) => (error instanceof BrokerError ? error.code : error),
        );
      });
      const { code, err } = await table.apply(folderOf(few), { terminal: racing });
      const outcome = await byHand;
      const edits = (await table.table.head()) - few;
      const description = (await table.documents())[idOf(at)]?.description;
      // Before it, after it on the version that it made, or on the version that it replaces.
      const stopped = { code: 1, outcome: 'made', edits: at + 1, description: 'by hand' };
      const later = { code: 0, outcome: 'made', edits: few + 1, description: 'by hand' };
      const tooLate = { code: 0, outcome: 'precondition_failed', edits: few, description: '' };
      expect([stopped, later, tooLate]).toContainEqual({ code, outcome, edits, description });
      if (code === 1) expect(err).toContain(`${idOf(at)}: Somebody changed the role mapping.`);
    },
  );

  it('goes on where others edit what is not in the plan', async () => {
    const table = await stack.newTable();
    let others: Promise<void> | undefined;
    const racing = atFirstWrite(() => {
      others = table.put(row('other'));
    });
    const { code } = await table.apply(folderOf(few), { terminal: racing });
    await others;
    expect(code).toBe(0);
    const ids = (await log(table)).map(([, id]) => id);
    expect(ids.filter((id) => id !== 'other')).toEqual(idsTo(few));
    expect(ids).toContain('other');
  });

  it('is made once where an answer is lost, and goes on where the table is too busy', async () => {
    const operations = ['TransactWriteItems'];
    const type = 'ProvisionedThroughputExceededException';
    for (const fault of [
      { kind: 'loseAnswer', operations, times: 1 },
      { kind: 'error', type, status: 400, operations, times: 2 },
    ] as const) {
      const table = await stack.newTable();
      stack.server.setFault(fault);
      expect((await table.apply(folderOf(few))).code).toBe(0);
      expect(await log(table)).toEqual(idsTo(few).map((id) => ['create', id]));
    }
  });

  it('T313: goes in smaller parts where the table has no room for so many at once, each change once and in its order', async () => {
    const operations = ['TransactWriteItems'];
    const type = 'ProvisionedThroughputExceededException';
    const largerThanBytes = 12_000;
    const table = await stack.newTable();
    // Room for a few of them; nothing changes for as long as it is asked for more.
    stack.server.setFault({ kind: 'error', type, status: 400, operations, largerThanBytes });
    const startedAt = systemClock.monotonic();
    const { code, err } = await table.apply(folderOf(many));
    expect([code, err]).toEqual([0, expect.not.stringContaining('Stopped')]);
    // Not the thirty seconds that one write may take: a machine with other work takes a few.
    expect(systemClock.monotonic() - startedAt).toBeLessThan(25_000);
    expect(await log(table)).toEqual(idsTo(many).map((id) => ['create', id]));
    const outcomes = records(table.config).map(({ outcome }) => outcome);
    expect(new Set(outcomes)).toEqual(new Set(['authorized']));
  }, 60_000);

  it('T313: is made once where the answer to one try is lost and the table has no room for the next', async () => {
    const operations = ['TransactWriteItems'];
    const type = 'ProvisionedThroughputExceededException';
    const table = await stack.newTable();
    stack.server.setFault({ kind: 'loseAnswer', operations, times: 1 });
    const applying = table.apply(folderOf(few));
    await until(() => stack.server.calls.at(-1) === 'TransactWriteItems');
    stack.server.setFault({ kind: 'error', type, status: 400, operations });
    const { code, err } = await applying;
    expect([code, err]).toEqual([0, expect.not.stringContaining('Stopped')]);
    expect(await log(table)).toEqual(idsTo(few).map((id) => ['create', id]));
  });

  it('T314: refuses a plan with two changes of one mapping before it writes anything', async () => {
    const table = await stack.newTable();
    const plan = folders.path(`${table.config.policy.table}.json`);
    await table.plan(folderOf(few), { out: plan });
    const saved = JSON.parse(readFileSync(plan, 'utf8'));
    saved.changes.push(saved.changes[1]);
    writeFileSync(plan, JSON.stringify(saved));
    const { code, err } = await table.apply(undefined, { plan });
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(`The plan changes ${idOf(1)} more than once`),
    ]);
    expect(await log(table)).toEqual([]);
  });

  it('reads each row once, and the head once for all that are written together', async () => {
    const table = await stack.newTable();
    await putFew(table);
    await table.byHand(idOf(2), undefined);
    const { calls } = stack.server;
    let before = 0;
    const counting: Terminal = {
      ...terminal('yes'),
      showProgress: (text) => {
        if (/^\d+ of \d+: /.test(text)) before = calls.length;
      },
    };
    expect((await table.apply(folderOf(few + 1), { terminal: counting })).code).toBe(0);
    // One more query for the mapping that was deleted before: its versions go on.
    expect(sorted(calls.slice(before))).toEqual([
      'GetItem',
      ...Array.from({ length: few + 2 }, () => 'Query'),
      'TransactWriteItems',
    ]);
    expect((await table.table.get(idOf(2)))?.version).toBe(3);
  });

  it('of mappings as large as they may be goes in as many parts as that takes', async () => {
    const table = await stack.newTable();
    const values = Array.from({ length: 50 }, (_, index) => `${index}-${'ü'.repeat(240)}`);
    const claims = JSON.stringify({ 'custom:team': values, sub: values, client_id: values });
    const files = idsTo(9).map((id) => [
      `${id}.yaml`,
      mappingText(id, `conditions: { claims: ${claims} }`),
    ]);
    const { code, err } = await table.apply(folders.folder(Object.fromEntries(files)));
    expect([code, err]).toEqual([0, expect.not.stringContaining('Stopped')]);
    expect(await log(table)).toEqual(idsTo(9).map((id) => ['create', id]));
  });
});

describe('groups of changes', () => {
  const change = fc.record({
    id: fc.constantFrom(...idsTo(60)),
    before: fc.nat(400_000).map((length) => 'x'.repeat(length)),
    after: fc.oneof(
      fc.constant(null),
      fc.nat(200_000).map((length) => 'ü'.repeat(length)),
    ),
  });

  it('keep the order, and fit into a transaction', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.boolean(), (changes, alone) => {
        const planned = changes as unknown as PlannedChange[];
        const groups = [...groupsOf(planned, () => (alone ? 1 : maxEditsAtOnce))];
        expect(groups.flat()).toEqual(planned);
        for (const group of groups) {
          const bytes = group.map(
            ({ before, after }) =>
              Buffer.byteLength(`${before}`) + 3 * Buffer.byteLength(`${after}`),
          );
          const total = bytes.reduce((sum, one) => sum + one, 0);
          expect(group.length === 1 || (!alone && total < 1024 * 1024)).toBe(true);
        }
      }),
      runs(200),
    );
  });

  it('are no larger than a transaction has room for', () => {
    const planned = idsTo(100).map((id) => ({ id, before: null, after: {} }));
    const groups = [...groupsOf(planned as unknown as PlannedChange[], () => maxEditsAtOnce)];
    expect(groups.map(({ length }) => length)).toEqual([32, 32, 32, 4]);
  });
});
