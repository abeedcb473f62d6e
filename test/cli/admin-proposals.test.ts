import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { closeServer, listenOnLoopback } from '../../emulators/loopback-http.ts';
import { addAdminCommand } from '../../src/cli/admin/admin-command.ts';
import {
  adding,
  addProposalCommands,
  mappingCommands,
  proposalCommands,
  topCommands,
} from '../../src/cli/admin/admin-commands.ts';
import { addReviewCommand } from '../../src/cli/commands/review.ts';
import type { AddCommand, ProcessEdge } from '../../src/cli/edge.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { noApproval } from '../../src/core/policy/approval.ts';
import { exchangeRecord, logOf, newDirectory, removeDirectories } from '../audit/audit-fixture.ts';
import {
  type AdminHarness,
  adminClient,
  adminGroup,
  adminPool,
  callerClient,
  freezeScope,
  readScope,
  startAdmin,
  testMapping,
  testRole,
  writeScope,
} from '../support/admin-harness.ts';
import { runCommandLine } from '../support/command-line.ts';
import { temporaryFolders, terminal } from '../support/mapping-folder.ts';

const folders = temporaryFolders();
let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdmin({
    guardrails: { approval: { ...noApproval, when: 'widens' } },
    access: { groups: new Set([adminGroup, 'customers']), clients: new Set([adminClient]) },
  });
});

afterAll(async () => {
  await admin.stop();
  folders.remove();
  removeDirectories();
});

const addAll: AddCommand = (program, edge) => {
  addProposalCommands(program, edge);
  addReviewCommand(program, edge);
  const mappings = program.command('mappings');
  for (const command of mappingCommands) addAdminCommand(mappings, command, edge);
  for (const command of Object.values(topCommands)) adding(command)(program, edge);
};

const file = (text: string, name = 'file') => join(folders.folder({ [name]: text }), name);

interface Options {
  readonly as?: 'ada' | 'cleo';
  readonly url?: string;
  readonly terminal?: Terminal;
  readonly env?: ProcessEdge['env'];
}

/** Ada proposes, Cleo approves. */
function run(args: readonly string[], { as = 'cleo', url = admin.url, ...edge }: Options = {}) {
  const token = admin.token({ user: as, scopes: [readScope, writeScope, freezeScope] });
  const common = ['--admin-url', url, '--admin-token-file', file(token)];
  return runCommandLine(addAll, [...args, ...common], edge);
}

const reason = ['--reason', 'INC-1: a test'];
let count = 0;
const newId = () => `waiting-${++count}`;
const mappingFile = (id: string, changes = {}) =>
  file(JSON.stringify({ ...testMapping(id), ...changes }));

async function propose(id = newId(), changes = {}) {
  const args = ['mappings', 'edit', id, '--file', mappingFile(id, changes), ...reason, '--yes'];
  return proposedBy(await run(args, { as: 'ada' }), id);
}

function proposedBy({ code, out }: { code: number; out: string }, mapping: string) {
  expect(code).toBe(3);
  const [, id = ''] = /second administrator: \/v1\/proposals\/(\S+)\n/.exec(out) ?? [];
  return { id, mapping };
}

async function approved(id: string) {
  const hash = await hashOf(id);
  return await run(['proposals', 'approve', id, '--yes', '--hash', hash, ...reason]);
}

async function hashOf(id: string) {
  const { out } = await run(['proposals', 'show', id]);
  return /^ {2}sha256 ([0-9a-f]{64})$/m.exec(out)?.[1] ?? '';
}

const stateOf = async (id: string) =>
  JSON.parse((await run(['proposals', 'show', id, '-o', 'json'])).out).state;
const exists = async (id: string) => (await admin.table.get(id)) !== undefined;

describe('a proposal by command', () => {
  it('is made of an edit that needs nobody, where a second administrator is to look all the same', async () => {
    const id = newId();
    const { id: created } = await propose(id);
    await approved(created);
    const off = ['mappings', 'edit', id, '--file', mappingFile(id, { enabled: false }), ...reason];
    const dry = await run([...off, '--propose', '--dry-run'], { as: 'ada' });
    expect(dry.out).toContain('It would wait for a second administrator.');
    const asked = proposedBy(await run([...off, '--propose', '--yes'], { as: 'ada' }), id);
    expect((await admin.table.get(id))?.version).toBe(1);
    const own = ['proposals', 'approve', asked.id, '--yes', '--hash', await hashOf(asked.id)];
    expect((await run([...own, ...reason], { as: 'ada' })).code).toBe(1);
    expect((await approved(asked.id)).code).toBe(0);
    expect((await admin.table.get(id))?.version).toBe(2);
    expect((await run([...off, '--yes'], { as: 'ada' })).code).toBe(0);
  });

  it('is made by review of what nobody uses, and of nothing that is not as it was reviewed', async () => {
    const [unused, changed, ofGit, gone] = [newId(), newId(), newId(), newId()];
    for (const id of [unused, changed]) await approved((await propose(id)).id);
    const words = ['mappings', 'edit', ofGit, '--file', mappingFile(ofGit, { managedBy: 'git' })];
    const inGit = await run([...words, '--override', ...reason, '--yes'], { as: 'ada' });
    await approved(proposedBy(inGit, ofGit).id);
    const mappings = folders.folder(
      Object.fromEntries(
        [unused, changed, ofGit, gone].map((id) => {
          const description = id === changed ? 'as it was once' : testMapping(id).description;
          const managedBy = id === ofGit ? 'git' : 'api';
          return [`${id}.yaml`, JSON.stringify({ ...testMapping(id), description, managedBy })];
        }),
      ),
    );
    const audit = newDirectory();
    const first = exchangeRecord('a', { time: '2026-01-01T00:00:00.000Z' });
    await logOf(audit, Date.parse(first.time), first);
    const review = ['review', '--unused', '1d', '--audit', audit, '--mappings', mappings, '--json'];
    const asAda = { as: 'ada' } as const;
    const { code, out, err } = await run([...review, '--propose', ...reason], asAda);
    const said = out
      .split('\n')
      .slice(4, -1)
      .map((line) => JSON.parse(line));
    expect({ code, err, said }).toEqual({
      code: 1,
      err: '',
      said: [
        { mapping: unused, proposal: expect.any(String) },
        { mapping: changed, why: expect.stringContaining('another version') },
        { mapping: ofGit, why: expect.stringContaining('Git manages it') },
        { mapping: gone, why: expect.stringContaining('none of that id') },
      ],
    });
    const shown = await run(['proposals', 'show', said[0].proposal]);
    expect(shown.out).toContain('INC-1: a test');
    expect((await approved(said[0].proposal)).code).toBe(0);
    expect((await admin.table.get(unused))?.mapping).toMatchObject({ enabled: false });
    expect((await admin.table.get(changed))?.version).toBe(1);
    const nobody = await run([...review, '--propose', ...reason], {
      ...asAda,
      url: 'http://127.0.0.1:1',
    });
    expect({ code: nobody.code, said: nobody.err !== '' }).toEqual({ code: 1, said: true });
  });

  it('is listed, shown leaf by leaf with who gains, and approved as it was shown', async () => {
    const { id, mapping } = await propose();
    const listed = await run(['proposals', 'list', '--state', 'open']);
    expect(listed.out).toMatch(/^ID .*\n/);
    expect(listed.out).toMatch(
      new RegExp(`^${id} +open +create +${mapping} .*INC-1: a test$`, 'm'),
    );
    const shown = await run(['proposals', 'show', id]);
    expect([shown.code, shown.out]).toEqual([0, expect.stringContaining(`+ id: "${mapping}"\n`)]);
    expect(shown.out).toContain(`+ client ${callerClient} of ${adminPool} gains ${testRole}\n`);
    expect(await approved(id)).toMatchObject({
      code: 0,
      out: expect.stringMatching(new RegExp(`^${mapping} is created, version 1\n`)),
    });
    expect([await exists(mapping), await stateOf(id)]).toEqual([true, 'applied']);
    expect((await run(['proposals', 'list', '--state', 'open'])).out).not.toContain(id);
  });

  it('shows what is different within a list, who loses, and on which terms', async () => {
    const first = await propose(newId(), {
      conditions: { scopes: ['orders/read', 'orders/write'] },
    });
    await approved(first.id);
    const wider = { conditions: { scopes: ['orders/read'] } };
    const terms = await run(['proposals', 'show', (await propose(first.mapping, wider)).id]);
    expect(terms.out).toMatch(/^ {2}- conditions\.scopes\.1: "orders\/write"$/m);
    expect(terms.out).toMatch(/^ {2}~ client .* has, on other terms, arn:/m);
    expect(terms.out).toContain('  changes version 1\n');
    const other = { principal: { pool: adminPool, client: adminClient } };
    const moved = await run(['proposals', 'show', (await propose(first.mapping, other)).id]);
    expect(moved.out).toContain(`  - client ${callerClient} of ${adminPool} loses ${testRole}\n`);
    expect(moved.out).toContain(`  + client ${adminClient} of ${adminPool} gains ${testRole}\n`);
  });

  it.each([
    ['reject', 'cleo', 'rejected'],
    ['withdraw', 'ada', 'withdrawn'],
  ] as const)('ends by %s, and changes nothing', async (command, as, state) => {
    const { id, mapping } = await propose();
    const ended = await run(['proposals', command, id, ...reason], { as });
    expect([ended.code, ended.out]).toEqual([0, `${id}: create ${mapping}, ${state}\n`]);
    expect([await exists(mapping), await stateOf(id)]).toEqual([false, state]);
    expect((await run(['proposals', 'show', id])).out).toContain(`  ${state} at `);
  });
});

describe('an approval by command', () => {
  it.each([
    ['nobody is here to agree', [], undefined, 2],
    ['--yes stands without the hash of what was read', ['--yes'], terminal('yes'), 2],
    ['the hash is no hash', ['--yes', '--hash', 'abc'], terminal('yes'), 2],
    ['the hash is of something else', ['--yes', '--hash', '0'.repeat(64)], undefined, 1],
    [
      'the hash is of something else, and somebody agrees',
      ['--hash', '0'.repeat(64)],
      terminal('yes'),
      1,
    ],
    ['somebody answers something else than yes', [], terminal('y'), 1],
    ['the input ends', [], terminal(''), 1],
    ['the reason cannot be kept', ['--reason', 'a\u202eb'], terminal('yes'), 2],
  ])('changes nothing where %s', async (_why, more, asked, expected) => {
    const { id, mapping } = await propose();
    const args = ['proposals', 'approve', id, ...reason, ...more];
    const { code } = await run(args, asked === undefined ? {} : { terminal: asked });
    expect([code, await exists(mapping), await stateOf(id)]).toEqual([expected, false, 'open']);
  });

  it('needs a reason', async () => {
    const { id } = await propose();
    const { code } = await run(['proposals', 'approve', id], { terminal: terminal('yes') });
    expect([code, await stateOf(id)]).toEqual([2, 'open']);
  });

  it('shows what is approved and its hash before it asks', async () => {
    const { id, mapping } = await propose();
    const hash = await hashOf(id);
    const asked: string[] = [];
    const here: Terminal = {
      ...terminal(),
      ask: async (question) => {
        asked.push(question);
        return 'yes';
      },
    };
    const { code, err } = await run(['proposals', 'approve', id, ...reason], { terminal: here });
    expect(code).toBe(0);
    expect(err).toContain(`+ client ${callerClient} of ${adminPool} gains ${testRole}\n`);
    expect(err).toContain(`  sha256 ${hash}\n`);
    expect(asked).toEqual([expect.stringContaining(`create ${mapping}`)]);
  });

  it('is refused to the author, and of what waits no more, in words', async () => {
    const { id, mapping } = await propose();
    const own = ['proposals', 'approve', id, ...reason];
    const refused = await run(own, { as: 'ada', terminal: terminal('yes') });
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('You are the author')]);
    expect(await exists(mapping)).toBe(false);
    await run(['proposals', 'withdraw', id, ...reason], { as: 'ada' });
    const late = await approved(id);
    expect([late.code, late.err]).toEqual([1, expect.stringContaining('proposal_not_open')]);
  });
});

describe('what answers in place of an admin listener', () => {
  let stranger: Server;
  let url: string;
  let answer: object;
  const asked: string[] = [];
  beforeAll(async () => {
    stranger = createServer((req, res) => {
      asked.push(req.method ?? '');
      res.end(JSON.stringify(answer));
    });
    url = await listenOnLoopback(stranger);
  });
  afterAll(() => closeServer(stranger));

  it('gets no approval by the hash of something else than it shows', async () => {
    const { id } = await propose();
    const { out } = await run(['proposals', 'show', id, '-o', 'json']);
    const proposal = JSON.parse(out);
    for (const shown of [
      { ...proposal, mapping: { ...proposal.mapping, role: `${testRole}-other` } },
      { ...proposal, mapping: null },
      { ...proposal, baseVersion: 7 },
      { ...proposal, mappingId: 'other' },
    ]) {
      answer = shown;
      asked.length = 0;
      const args = ['proposals', 'approve', id, ...reason];
      const { code, err } = await run(args, { url, terminal: terminal('yes') });
      expect([code, err, asked]).toEqual([1, expect.stringContaining('do not approve'), ['GET']]);
    }
  });

  it.each(['table', 'json', 'yaml'])('is printed visibly as %s', async (format) => {
    const hostile = '\u001b]0;owned\u0007\u009b2J\u202egnp';
    const { id } = await propose();
    const { out } = await run(['proposals', 'show', id, '-o', 'json']);
    const proposal = {
      ...JSON.parse(out),
      state: hostile,
      action: hostile,
      author: { name: hostile, machine: true },
      reason: hostile,
      createdAt: hostile,
      expiresAt: hostile,
      before: { [hostile]: hostile },
      affected: [{ principal: { pool: hostile, client: hostile }, role: hostile, effect: hostile }],
      closed: { by: hostile, reason: hostile, at: hostile },
      recentCallers: [
        { pool: hostile, client: hostile, subject: hostile, outcome: hostile, time: hostile },
      ],
    };
    const raw = /[\p{Cc}\p{Cf}]/u;
    const acting = (text: string) => text.split('\n').filter((line) => raw.test(line));
    answer = proposal;
    const shown = await run(['proposals', 'show', id, '-o', format], { url });
    expect([shown.code, acting(shown.out)]).toEqual([0, []]);
    answer = { items: [proposal] };
    const listed = await run(['proposals', 'list', '-o', format], { url });
    expect([listed.code, acting(listed.out)]).toEqual([0, []]);
    expect(listed.out).toMatch(/\\u\{?0?0?1b/);
  });
});

describe('an edit by command that needs a second administrator', () => {
  it('says so before it is made, and is not made by looking', async () => {
    const id = newId();
    const args = ['mappings', 'edit', id, '--file', mappingFile(id), ...reason, '--dry-run'];
    const { code, out } = await run(args, { as: 'ada' });
    expect([code, out]).toEqual([0, expect.stringContaining('would wait for a second')]);
    const { out: listed } = await run(['proposals', 'list']);
    expect(listed).not.toContain(` ${id} `);
  });

  it.each(['json', 'yaml'])('ends with 3 as %s as well', async (format) => {
    const id = newId();
    const args = ['mappings', 'edit', id, '--file', mappingFile(id), ...reason, '--yes'];
    const { code, out } = await run([...args, '-o', format], { as: 'ada' });
    expect([code, out]).toEqual([3, expect.stringContaining('sha256')]);
  });

  it('by undoing: the address, and exit code 3', async () => {
    const { id, mapping } = await propose();
    await approved(id);
    const narrower = mappingFile(mapping, { conditions: { caller: 'machine' } });
    const edit = ['mappings', 'edit', mapping, '--file', narrower, ...reason, '--yes'];
    expect((await run(edit, { as: 'ada' })).code).toBe(0);
    const undone = await run(['mappings', 'undo', mapping, ...reason, '--yes'], { as: 'ada' });
    const waiting = proposedBy(undone, mapping);
    expect(await stateOf(waiting.id)).toBe('open');
    expect((await admin.table.get(mapping))?.version).toBe(2);
  });

  it('by lifting a freeze: the address, and exit code 3', async () => {
    const whom = ['--pool', adminPool, '--client', callerClient];
    const made = await run(['freeze', ...whom, ...reason, '--yes'], { as: 'ada' });
    expect(made.code).toBe(0);
    const [freeze = ''] = /freeze-[0-9a-f]{24}/.exec(made.out) ?? [];
    const lifted = await run(['unfreeze', freeze, ...reason, '--yes'], { as: 'ada' });
    const { id } = proposedBy(lifted, freeze);
    expect((await run(['proposals', 'show', id])).out).not.toContain('managed from Git');
    expect(await exists(freeze)).toBe(true);
    await approved(id);
    expect(await exists(freeze)).toBe(false);
  });

  it('in an editor: the draft is not left behind, the broker has it', async () => {
    const { id, mapping } = await propose();
    await approved(id);
    const seen = file('');
    const script = `#!/bin/sh\nprintf %s "$1" >${seen}; sed -i "s/^role: .*/&-other/" "$1"\n`;
    const editor = file(script, 'editor');
    chmodSync(editor, 0o700);
    const options = { as: 'ada', terminal: terminal('yes'), env: { EDITOR: editor } } as const;
    const edited = await run(['mappings', 'edit', mapping, ...reason], options);
    proposedBy(edited, mapping);
    expect(existsSync(dirname(readFileSync(seen, 'utf8')))).toBe(false);
    expect(edited.err).not.toContain('is kept');
  });
});

describe('every command for proposals', () => {
  const examples = proposalCommands.flatMap(({ examples: all }) =>
    all.map((one) => [one] as const),
  );

  it.each(examples)('does what an example of its --help says: %s', async (example) => {
    const { id } = await propose();
    const words: Readonly<Record<string, string>> = {
      '019c1d5e7a00-0123456789abcdef': id,
      '5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9': await hashOf(id),
    };
    const args = [...example.matchAll(/'([^']*)'|(\S+)/g)]
      .map(([, quoted, word = '']) => quoted ?? words[word] ?? word)
      .slice(1);
    const as = args[1] === 'withdraw' ? 'ada' : 'cleo';
    const { code, err } = await run(args, { as, terminal: terminal('yes') });
    expect([code, err]).toEqual([0, expect.any(String)]);
  });

  it.each(proposalCommands.map(({ name }) => [name]))(
    'has examples in --help: %s',
    async (name) => {
      const { code, out } = await runCommandLine(addAll, ['proposals', name, '--help']);
      expect([code, out]).toEqual([0, expect.stringMatching(/\nExamples:\n {2}token-broker /)]);
      expect(out).toMatch(/\nExit codes: 0 .* 2 wrong usage\.\n/);
    },
  );

  it('takes an id that is one', async () => {
    for (const id of ['../role-mappings', 'x', '019C1D5E7A00-0123456789ABCDEF', '%2e']) {
      expect(await run(['proposals', 'show', id])).toMatchObject({ code: 2 });
    }
  });
});
