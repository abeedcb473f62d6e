import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { freezeId } from '../../src/core/policy/freeze.ts';
import { documentChanges } from '../../src/kit/json/document-changes.ts';
import {
  mappingText,
  pool,
  row,
  type TableUnderTest,
  terminal,
} from '../support/mapping-folder.ts';
import { mappingStack } from '../support/mapping-stack.ts';

const stack = mappingStack();
const { folders } = stack;

const idsIn = async (table: TableUnderTest) =>
  Object.keys(await table.documents()).sort((a, b) => (a < b ? -1 : 1));

describe('mappings apply', () => {
  it('makes the table say what the files say, and finds nothing to do the second time', async () => {
    const table = await stack.newTable();
    await table.put(row('changed', { precedence: 7 }));
    const directory = folders.folder({
      'a.yaml': mappingText('added'),
      'team/c.yml': mappingText('changed', 'description: by file'),
    });
    const first = await table.apply(directory);
    expect([first.code, first.err]).toEqual([0, expect.stringMatching(/^(?:.*: warning: .*\n)*$/)]);
    expect(first.out).toContain('Applied 2 changes; revision 3.');
    expect(await table.documents()).toEqual({
      added: row('added'),
      changed: row('changed', { description: 'by file' }),
    });
    const second = await table.apply(directory);
    expect([second.code, second.out]).toEqual([0, expect.stringContaining('nothing to change')]);
    expect(await table.table.head()).toBe(3);
  });

  it('leaves who and why in the history of every mapping, deletions included', async () => {
    const table = await stack.newTable();
    await table.put(row('gone'));
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    await table.apply(directory, { prune: true, reason: 'CHG-7: Bücher' });
    const changes = await table.table.changesSince(1);
    const who = { updatedBy: 'cli:tester@host', reason: 'CHG-7: Bücher' };
    expect(changes).toMatchObject([
      { id: 'a', action: 'create', ...who },
      { id: 'gone', action: 'delete', ...who },
    ]);
  });

  it('deletes owned mappings that are in no file with --prune, and never without', async () => {
    const table = await stack.newTable();
    await table.put(row('gone'));
    await table.put(row('by-hand', { managedBy: 'api' }));
    await table.put(row('theirs', { owner: 'orders' }));
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    expect((await table.apply(directory)).code).toBe(0);
    expect(await idsIn(table)).toEqual(['a', 'by-hand', 'gone', 'theirs']);
    expect((await table.apply(directory, { prune: true, owners: ['payments'] })).code).toBe(0);
    expect(await idsIn(table)).toEqual(['a', 'by-hand', 'theirs']);
  });

  it('T95: takes no freeze away, neither by a file nor by its absence, nor by a plan made by hand', async () => {
    const table = await stack.newTable();
    const frozen = { principal: { pool, client: 'client-a' }, role: '*' };
    const id = freezeId(frozen);
    await table.put(row(id, { ...frozen, effect: 'deny' }));
    await table.put(row('gone'));
    const file = folders.path('by-hand.json');
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    await table.plan(directory, { prune: true, out: file });
    const plan = JSON.parse(readFileSync(file, 'utf8'));
    const changes = plan.changes.filter(({ action }: { action: string }) => action === 'delete');
    expect(changes.map((change: { id: string }) => change.id)).toEqual(['gone']);
    const before = (await table.documents())[id];
    const differences = documentChanges(before, {});
    const forged = { ...changes[0], id, before, differences };
    writeFileSync(file, JSON.stringify({ ...plan, changes: [forged] }));
    const byHand = await table.apply(undefined, { plan: file, prune: true });
    expect([byHand.code, byHand.err]).toEqual([1, expect.stringContaining('is a freeze')]);

    expect((await table.apply(directory, { prune: true })).code).toBe(0);
    expect(await idsIn(table)).toEqual(['a', id]);

    const text = mappingText(id, 'enabled: false')
      .replace('allow', 'deny')
      .replace(`client-${id}`, 'client-a')
      .replace(/^role: .*$/m, "role: '*'");
    const weaker = await table.apply(folders.folder({ 'a.yaml': text }));
    expect([weaker.code, weaker.err]).toEqual([1, expect.stringContaining('/enabled')]);
    expect(await table.documents()).toMatchObject({ [id]: { enabled: true } });
  });

  it('writes nothing while any file has a fault', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a'), 'b.yaml': 'id: b' });
    const { code, err } = await table.apply(directory);
    expect([code, err]).toEqual([1, expect.stringContaining(`${directory}/b.yaml:1:1: /role: `)]);
    expect(await table.table.head()).toBe(0);
  });

  it('writes nothing without a reason that the history can show', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    for (const reason of ['', 'two\nlines', 'x'.repeat(501), 'right-to-left \u202e']) {
      expect((await table.apply(directory, { reason })).code).toBe(2);
    }
    expect(await table.table.head()).toBe(0);
  });

  it('says as JSON what it has written', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const { out } = await table.apply(directory, { json: true });
    expect(JSON.parse(out)).toEqual({
      revision: 1,
      applied: [{ id: 'a', action: 'create', version: 1, revision: 1 }],
      proposed: [],
    });
  });

  it('replaces a row that no longer passes the checks', async () => {
    const table = await stack.newTable();
    await table.put(row('a', { conditions: { claims: { 'custom:team': ['x'] } } }));
    const config = { ...table.config, identity: { ...table.config.identity, matchableClaims: [] } };
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const { code } = await table.apply(directory, { config });
    expect(code).toBe(0);
    expect(await table.documents()).toEqual({ a: row('a') });
  });
});

describe('confirmation', () => {
  it('is needed: without a terminal and without --yes nothing is written', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const { code, err } = await table.apply(directory, { yes: false });
    expect([code, err]).toEqual([2, expect.stringContaining('add --yes')]);
    expect(await table.table.head()).toBe(0);
  });

  it('is the word yes and nothing else', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    for (const answer of ['', 'y', 'no', 'YES', 'yes please']) {
      const { code, out } = await table.apply(directory, { terminal: terminal(answer) });
      expect([code, out]).toEqual([1, expect.stringContaining('1 to create')]);
    }
    expect(await table.table.head()).toBe(0);
    expect((await table.apply(directory, { terminal: terminal('yes') })).code).toBe(0);
    expect(await idsIn(table)).toEqual(['a']);
  });

  it('is void if the table moves before it is given', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const answering = terminal(async () => {
      await table.put(row('freeze', { effect: 'deny', role: '*', managedBy: 'api' }));
      return 'yes';
    });
    const { code, err } = await table.apply(directory, { terminal: answering });
    expect([code, err]).toEqual([1, expect.stringContaining('nothing was written. Plan again')]);
    expect(await idsIn(table)).toEqual(['freeze']);
  });
});

describe('a saved plan', () => {
  async function planned(prune = false) {
    const table = await stack.newTable();
    await table.put(row('gone'));
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const plan = folders.path(`${table.config.policy.table}.json`);
    await table.plan(directory, { out: plan, prune });
    return { table, plan, directory };
  }

  it('is applied as it was reviewed, whatever the files say by then', async () => {
    const { table, plan, directory } = await planned();
    writeFileSync(`${directory}/a.yaml`, mappingText('a', 'precedence: 1'));
    expect((await table.apply(undefined, { plan })).code).toBe(0);
    expect((await table.documents())['a']?.precedence).toBe(100);
  });

  it('is refused once the table has moved, even by itself', async () => {
    const { table, plan } = await planned();
    await table.apply(undefined, { plan });
    const { code, err } = await table.apply(undefined, { plan });
    expect(code).toBe(1);
    expect(err).toContain('The table is at revision 2, and the plan was made against 1');
    expect(await table.table.head()).toBe(2);
  });

  it('deletes only with --prune on the command line, too', async () => {
    const { table, plan } = await planned(true);
    const { code, err } = await table.apply(undefined, { plan });
    expect([code, err]).toEqual([1, expect.stringContaining('add --prune')]);
    expect(await table.table.head()).toBe(1);
    expect((await table.apply(undefined, { plan, prune: true })).code).toBe(0);
    expect(await idsIn(table)).toEqual(['a']);
  });

  it('is refused for another table', async () => {
    const { plan } = await planned();
    const other = await stack.newTable();
    const { code, err } = await other.apply(undefined, { plan });
    expect([code, err]).toEqual([1, expect.stringContaining('The plan is for the table')]);
    expect(await other.table.head()).toBe(0);
  });

  it('is refused when it is no plan, or one that contradicts itself', async () => {
    const { table, plan } = await planned();
    const text = readFileSync(plan, 'utf8');
    const altered = [
      '',
      '{}',
      '[]',
      text.slice(0, -3),
      text.replace('plan/1', 'plan/2'),
      text.replace('"version": null', '"version": 1'),
      text.replace('"action": "create"', '"action": "delete"'),
      text.replace('"after": {\n        "id": "a"', '"after": {\n        "id": "b"'),
      text.replace('"effect": "allow"', '"effect": "maybe"'),
    ];
    for (const [index, content] of altered.entries()) {
      expect([index, content === text]).toEqual([index, false]);
      const file = folders.path(`altered-${index}.json`);
      writeFileSync(file, content);
      expect(await table.apply(undefined, { plan: file })).toMatchObject({
        code: 1,
        err: expect.stringContaining('is not a plan'),
      });
    }
    const { code, err } = await table.apply(undefined, { plan: folders.path('absent.json') });
    expect([code, err]).toEqual([1, expect.stringContaining('ENOENT')]);
    expect(await table.table.head()).toBe(1);
  });

  it('T108: shows what it changes and nothing else: one that was altered to look harmless is refused', async () => {
    const table = await stack.newTable();
    await table.put(row('a', { effect: 'deny', description: 'before' }));
    const plan = folders.path('to-alter.json');
    await table.plan(folders.folder({ 'a.yaml': mappingText('a', 'description: after') }), {
      out: plan,
    });
    const honest = JSON.parse(readFileSync(plan, 'utf8'));
    const [change] = honest.changes;
    const onlyDescription = change.differences.filter(
      ({ pointer }: { pointer: string }) => pointer === '/description',
    );
    expect(change.differences.length).toBeGreaterThan(onlyDescription.length);
    const saidToBe = { ...change.before, effect: 'allow', principal: change.after.principal };
    for (const [altered, says] of [
      [{ differences: onlyDescription }, 'is not a plan'],
      [{ differences: [] }, 'is not a plan'],
      [{ before: change.after, differences: [] }, 'is not what the table has'],
      [
        { before: saidToBe, differences: documentChanges(saidToBe, change.after) },
        'is not what the table has',
      ],
    ] as const) {
      const file = folders.path('looks-harmless.json');
      writeFileSync(file, JSON.stringify({ ...honest, changes: [{ ...change, ...altered }] }));
      const { code, err } = await table.apply(undefined, { plan: file });
      expect([code, err]).toEqual([1, expect.stringContaining(says)]);
    }
    expect((await table.documents())['a']).toMatchObject({ effect: 'deny' });
    expect((await table.apply(undefined, { plan })).code).toBe(0);
    expect((await table.documents())['a']).toMatchObject({ effect: 'allow' });
  });

  it('cannot write a mapping that cannot work', async () => {
    const { table, plan } = await planned();
    const file = folders.path('harmful.json');
    const text = readFileSync(plan, 'utf8');
    const harmful = text.replaceAll('role/broker/a"', 'role/broker/a*"');
    writeFileSync(file, harmful);
    expect(harmful).not.toBe(text);
    expect((await table.apply(undefined, { plan: file })).code).toBe(1);
    const any = text.replaceAll('"client": "client-a"', '"any": true');
    expect(any).not.toBe(text);
    writeFileSync(file, any);
    const { code, err } = await table.apply(undefined, { plan: file });
    expect([code, err]).toEqual([1, expect.stringContaining('Stopped after 0 of 1 changes')]);
    expect(await table.table.head()).toBe(1);
  });
});

describe('a failure halfway', () => {
  it('stops, says how far it came, and leaves the rest to the next apply', async () => {
    const table = await stack.newTable();
    await table.put(row('b', { description: 'before' }));
    const directory = folders.folder({
      'a.yaml': mappingText('a'),
      'b.yaml': mappingText('b'),
      'c.yaml': mappingText('c', 'enabled: false'),
    });
    const plan = folders.path('stale-row.json');
    await table.plan(directory, { out: plan });
    // As if somebody had edited that row after the revision was compared.
    writeFileSync(plan, readFileSync(plan, 'utf8').replace('"version": 1', '"version": 9'));
    const { code, out, err } = await table.apply(undefined, { plan, json: true });
    expect(code).toBe(1);
    expect(err).toContain('b: Somebody changed the role mapping.');
    expect(err).toContain('Stopped after 2 of 3 changes');
    expect(JSON.parse(out)).toMatchObject({
      revision: 3,
      applied: [{ id: 'a' }, { id: 'c' }],
      failed: { id: 'b', code: 'precondition_failed' },
    });
    expect((await table.documents())['b']?.description).toBe('before');
    expect((await table.apply(directory)).code).toBe(0);
    expect((await table.plan(directory)).code).toBe(0);
  });

  it('of several that apply at once loses no change: the files win in the end', async () => {
    const table = await stack.newTable();
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const directory = folders.folder({
      'all.yaml': ids.map((id) => mappingText(id)).join('\n---\n'),
    });
    await Promise.all([1, 2, 3].map(() => table.apply(directory)));
    expect((await table.apply(directory)).code).toBe(0);
    expect(await idsIn(table)).toEqual(ids);
    const changes = await table.table.changesSince(0);
    expect(changes.map(({ action }) => action)).toEqual(ids.map(() => 'create'));
  });
});
