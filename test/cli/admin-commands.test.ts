import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { closeServer, listenOnLoopback } from '../../emulators/loopback-http.ts';
import { addAdminCommand } from '../../src/cli/admin/admin-command.ts';
import {
  adding,
  addProposalCommands,
  mappingCommands,
  proposalCommands,
  topCommands,
} from '../../src/cli/admin/admin-commands.ts';
import { listMappings } from '../../src/cli/admin/mappings/list.ts';
import type { AddCommand, ProcessEdge } from '../../src/cli/edge.ts';
import { processTerminal, type Terminal } from '../../src/cli/terminal.ts';
import {
  type AdminHarness,
  adminPool,
  callerClient,
  startAdmin,
  testMapping,
  testRole,
} from '../support/admin-harness.ts';
import { runCommandLine } from '../support/command-line.ts';
import { temporaryFolders, terminal } from '../support/mapping-folder.ts';
import { createTestClock } from '../support/test-clock.ts';
import { until } from '../support/until.ts';

const folders = temporaryFolders();
let admin: AdminHarness;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(async () => {
  await admin.stop();
  folders.remove();
});

const addAll: AddCommand = (program, edge) => {
  const mappings = program.command('mappings');
  for (const command of mappingCommands) addAdminCommand(mappings, command, edge);
  for (const command of Object.values(topCommands)) adding(command)(program, edge);
};

const file = (text: string, name = 'file') => join(folders.folder({ [name]: text }), name);

interface Options {
  readonly url?: string;
  readonly terminal?: Terminal;
  readonly env?: ProcessEdge['env'];
  readonly add?: AddCommand;
}

function run(args: readonly string[], { url = admin.url, add = addAll, ...edge }: Options = {}) {
  const common = ['--admin-url', url, '--admin-token-file', file(admin.token())];
  return runCommandLine(add, [...args, ...common], edge);
}

const reason = ['--reason', 'INC-1: a test'];
type Changes = Parameters<typeof testMapping>[1];
const written = (id: string, description: string, changes?: Changes) =>
  run([
    'mappings',
    'edit',
    id,
    '--file',
    mappingFile(id, description, changes),
    ...reason,
    '--yes',
  ]);
const mappingFile = (id: string, description: string, changes?: Changes) =>
  file(JSON.stringify({ ...testMapping(id, changes), description }));
const inTable = async (id: string) => (await admin.table.get(id))?.mapping;

describe('role mappings by command', () => {
  it('are created from a file, listed, shown, compared and taken back, each step in the history', async () => {
    // A client that no other mapping here is for.
    const client = '3stranger0example0client0i';
    const write = (text: string) =>
      written('steps', text, { principal: { pool: adminPool, client } });
    expect((await write('first')).out).toMatch(/^steps is created, version 1\n/);
    expect((await write('second')).out).toContain('~ description: "first" -> "second"');
    const listed = await run(['mappings', 'list', '--client', client]);
    expect([listed.code, listed.out]).toEqual([
      0,
      expect.stringMatching(
        /^ID .*\nsteps +allow +client 3stranger0\S+ of us-east-1_Local0001 +arn:.*\n$/,
      ),
    ]);
    const shown = await run(['mappings', 'get', 'steps', '--version', '1']);
    expect(shown.out).toMatch(/^# steps, version 1\n# create at .*: INC-1: a test\nid: steps\n/);
    const compared = await run(['mappings', 'diff', 'steps']);
    expect(compared.out).toContain('  ~ description: "first" -> "second"\n');
    const undone = await run(['mappings', 'undo', 'steps', ...reason, '--yes']);
    expect([undone.code, undone.out]).toEqual([
      0,
      expect.stringMatching(
        /^steps is replaced, version 3\n {2}~ description: "second" -> "first"/,
      ),
    ]);
    const history = await run(['mappings', 'history', 'steps']);
    expect(history.out.split('\n').map((line) => line.split(/\s+/).slice(0, 2).join(' '))).toEqual([
      'VERSION ACTION',
      '3 replace',
      '2 replace',
      '1 create',
      '',
    ]);
  });

  it('that were just made are deleted by undoing, and made again by undoing that', async () => {
    await written('made', 'once');
    const undone = await run(['mappings', 'undo', 'made', ...reason, '--yes']);
    expect(undone.out).toMatch(/^made is deleted, version 2\n/);
    expect(undone.err).toContain('no role mapping made: to undo that is a deletion.\n');
    expect((await run(['mappings', 'undo', 'made', ...reason, '--yes'])).out).toMatch(
      /^made is created, version 3\n/,
    );
    expect(await inTable('made')).toMatchObject({ description: 'once' });
  });

  it('say who can get a role, and what somebody can get', async () => {
    await written('asked', 'about');
    const who = await run(['mappings', 'who-can', testRole]);
    expect(who.out).toMatch(/client 1orders0\S+ of us-east-1_Local0001 +allow +in force +asked /);
    const what = await run(['mappings', 'what-can', '--pool', adminPool, '--client', callerClient]);
    expect(what.out).toMatch(/orders-writer +allow +in force +asked /);
    const nobody = await run(['mappings', 'what-can', '--pool', adminPool]);
    expect([nobody.code, nobody.err]).toEqual([2, expect.stringContaining('Say who')]);
  });
});

describe('a freeze by command', () => {
  const whom = ['--pool', adminPool, '--client', callerClient];

  it('is looked at, made, listed and lifted', async () => {
    const look = await run(['freeze', ...whom, ...reason, '--dry-run', '-o', 'json']);
    expect(JSON.parse(look.out)).toMatchObject({ action: 'create', dryRun: true });
    expect((await run(['freezes'])).out).not.toContain(callerClient);
    const made = await run(['freeze', ...whom, ...reason, '--yes']);
    expect([made.code, made.out]).toEqual([0, expect.stringContaining('takes away')]);
    expect(made.out).toContain('"aws:TokenIssueTime"');
    const [id = ''] = /freeze-[0-9a-f]{24}/.exec(made.out) ?? [];
    expect((await run(['freezes'])).out).toContain(id);
    expect((await run(['unfreeze', id, ...reason, '--yes'])).code).toBe(0);
    expect((await run(['freezes'])).out).not.toContain(id);
  });

  it('is of one thing', async () => {
    for (const more of [[], ['--client', 'a', '--anybody']]) {
      const { code, err } = await run(['freeze', '--pool', adminPool, ...more, ...reason, '--yes']);
      expect([code, err]).toEqual([2, expect.stringContaining('Say whom')]);
    }
  });
});

describe('an edit', () => {
  it.each([
    ['nobody is here to agree', undefined, 2],
    ['somebody answers something else than yes', terminal('y'), 1],
    ['the input ends', terminal(''), 1],
  ])('changes nothing where %s', async (_why, asked, expected) => {
    const before = await admin.table.head();
    const args = ['mappings', 'edit', 'unseen', '--file', mappingFile('unseen', ''), ...reason];
    const { code } = await run(args, asked === undefined ? {} : { terminal: asked });
    expect([code, await admin.table.head()]).toEqual([expected, before]);
  });

  it('shows what it would do before it asks', async () => {
    await written('shown', 'old');
    const args = ['mappings', 'edit', 'shown', '--file', mappingFile('shown', 'new'), ...reason];
    const { code, err, out } = await run(args, { terminal: terminal('yes') });
    expect([code, err]).toEqual([0, expect.stringContaining('~ description: "old" -> "new"')]);
    expect(out).toMatch(/^shown is replaced, version 2\n/);
  });

  it('without a reason that can be kept is none', async () => {
    const args = ['mappings', 'edit', 'unseen', '--file', mappingFile('unseen', ''), '--yes'];
    expect(await run([...args, '--reason', 'a\u202eb'])).toMatchObject({ code: 2 });
    expect(await inTable('unseen')).toBeUndefined();
  });

  it('keeps a reason in any script', async () => {
    const args = ['mappings', 'edit', 'script', '--file', mappingFile('script', ''), '--yes'];
    await run([...args, '--reason', 'ÄRGER-1: größer → 大']);
    expect((await run(['mappings', 'history', 'script'])).out).toContain('ÄRGER-1: größer → 大');
  });

  it('keeps a mapping of Git with Git where its file does not say whose it is', async () => {
    const mapping = testMapping('of-git', { managedBy: 'git' });
    const by = { actor: 'git', reason: 'applied' };
    await admin.table.write({ id: 'of-git', expectedVersion: 'absent', mapping, ...by });
    const edit = (more: readonly string[], text: string) =>
      run(['mappings', 'edit', 'of-git', '--file', text, ...reason, '--yes', ...more]);
    const { managedBy: _, ...silent } = testMapping('of-git', { description: 'by hand' });
    const refused = await edit([], file(JSON.stringify(silent)));
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('add --override')]);
    expect((await edit(['--override'], file(JSON.stringify(silent)))).code).toBe(0);
    expect(await inTable('of-git')).toMatchObject({ description: 'by hand', managedBy: 'git' });
    const said = file(JSON.stringify({ ...silent, managedBy: 'api' }));
    expect((await edit(['--override'], said)).code).toBe(0);
    expect(await inTable('of-git')).toMatchObject({ managedBy: 'api' });
  });

  it('names each fault of a file on a line of its own, and nothing of the file begins one', async () => {
    const unread = file('a: &x 1\nb: *x\nc: !!set {}\n"\\n::error::": 1\n', 'faults.yaml');
    const { code, err } = await run([
      'mappings',
      'edit',
      'x',
      '--file',
      unread,
      ...reason,
      '--yes',
    ]);
    const all = err.trimEnd().split('\n');
    expect([code, all.length > 1]).toEqual([2, true]);
    for (const line of all) expect(line).toMatch(/faults\.yaml:\d+:\d+: [^\\]+/);
  });

  it('names the place of what the broker refuses, and of what is no YAML', async () => {
    const unsound = file(JSON.stringify({ ...testMapping('unsound'), role: 'x' }));
    const refused = await run([
      'mappings',
      'edit',
      'unsound',
      '--file',
      unsound,
      ...reason,
      '--yes',
    ]);
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringMatching(/422: .*\n {2}\/role: /),
    ]);
    const broken = file('a: [', 'broken.yaml');
    const unread = await run(['mappings', 'edit', 'unsound', '--file', broken, ...reason, '--yes']);
    expect([unread.code, unread.err]).toEqual([2, expect.stringMatching(/broken\.yaml:\d+:\d+: /)]);
  });
});

describe('an editor', () => {
  const edit = (id: string, editor: string, answer: Terminal = terminal('yes')) =>
    run(['mappings', 'edit', id, ...reason], { terminal: answer, env: { EDITOR: editor } });
  const script = (text: string) => {
    const path = file(`#!/bin/sh\n${text}\n`, 'editor');
    chmodSync(path, 0o700);
    return path;
  };

  it('gets the mapping in a file of this user alone, and what it leaves is written', async () => {
    await written('edited', 'before');
    const seen = file('');
    const editor = script(`ls -ld "$1" >${seen}; sed -i s/before/after/ "$1"`);
    const { code, err } = await edit('edited', editor);
    expect([code, err]).toEqual([0, expect.stringContaining('"before" -> "after"')]);
    expect(readFileSync(seen, 'utf8')).toMatch(/^-rw------- .*edited\.yaml\n$/);
    expect(await inTable('edited')).toMatchObject({ description: 'after' });
  });

  it('that changes nothing, or fails, leaves everything as it was', async () => {
    await written('left', 'alone');
    expect((await edit('left', 'true')).err).toBe('Nothing was changed.\n');
    expect(await edit('left', 'false')).toMatchObject({ code: 2 });
    expect((await admin.table.get('left'))?.version).toBe(1);
  });

  it('is overtaken by somebody else: nothing is overwritten, and the text is kept to go on from', async () => {
    await written('raced', 'ours before');
    const overtaken: Terminal = {
      ...terminal(),
      ask: async () => {
        await written('raced', 'theirs');
        return 'yes';
      },
    };
    const { code, err } = await edit(
      'raced',
      script('sed -i "s/ours before/ours/" "$1"'),
      overtaken,
    );
    expect([code, err]).toEqual([1, expect.stringContaining('Somebody else changed raced')]);
    expect(await inTable('raced')).toMatchObject({ description: 'theirs' });
    const [, kept = ''] = /go on with --file (\S+)\n/.exec(err) ?? [];
    const again = await run(['mappings', 'edit', 'raced', '--file', kept, ...reason, '--yes']);
    expect(again.out).toContain('~ description: "theirs" -> "ours"');
    rmSync(dirname(kept), { recursive: true });
  });

  it('needs a terminal, and a name', async () => {
    await written('named', '');
    expect(await run(['mappings', 'edit', 'named', ...reason, '--dry-run'])).toMatchObject({
      code: 2,
    });
    expect(await edit('named', '')).toMatchObject({ code: 2 });
  });
});

describe('what answers in place of an admin listener', () => {
  const hostile = '\u001b]0;owned\u0007\u009b2J\u202egnp';
  const mapping = { ...testMapping('x'), owner: hostile, description: hostile };
  const wholeToken = '<token>';
  const signature = '<signature>';
  let stranger: Server;
  let url: string;
  let answer = '';
  let status = 200;
  let silent = false;
  let waiting = 0;
  beforeAll(async () => {
    stranger = createServer((req, res) => {
      if (silent) waiting += 1;
      const token = req.headers.authorization?.slice('Bearer '.length) ?? '';
      const echo = answer
        .replaceAll(wholeToken, token)
        .replaceAll(signature, token.split('.')[2] ?? '');
      if (!silent) res.writeHead(status).end(echo);
    });
    url = await listenOnLoopback(stranger);
  });
  afterAll(() => closeServer(stranger));
  const answers = (document: object, code = 200) => {
    answer = JSON.stringify(document);
    status = code;
  };
  /** What could act on a terminal, or change the order in which it is read. */
  const raw = /[\p{Cc}\p{Cf}]/u;
  const lines = (text: string) => text.split('\n').filter((line) => raw.test(line));

  it.each(['table', 'json', 'yaml'])('T217: prints what it says visibly as %s', async (format) => {
    answers({
      revision: 1,
      items: [{ version: 1, mapping }],
      quarantined: [{ id: hostile, version: 1, standIn: hostile }],
    });
    const listed = await run(['mappings', 'list', '-o', format], { url });
    expect([listed.code, lines(listed.out), lines(listed.err)]).toEqual([0, [], []]);
    expect(listed.out).toMatch(/\\u\{?0?0?1b/);
    answers({
      id: 'x',
      version: 1,
      action: hostile,
      updatedAt: hostile,
      updatedBy: hostile,
      actorProven: true,
      reason: hostile,
      mapping,
    });
    const shown = await run(['mappings', 'get', 'x', '-o', format], { url });
    expect([shown.code, lines(shown.out)]).toEqual([0, []]);
    answers(
      {
        title: hostile,
        detail: hostile,
        code: hostile,
        request_id: hostile,
        errors: [{ pointer: hostile, detail: hostile }],
      },
      422,
    );
    const refused = await run(['mappings', 'get', 'x', '-o', format], { url });
    expect([refused.code, lines(refused.err)]).toEqual([1, []]);
  });

  const everyExample = [...mappingCommands, ...proposalCommands, ...Object.values(topCommands)]
    .flatMap(({ examples }) => examples)
    // Those between folders ask nobody.
    .filter((example) => !example.includes('main/'));

  it.each(everyExample)('T263: gets no token printed that it sends back: %s', async (example) => {
    const token = admin.token();
    const sample = admin.issuer.issueAccessToken({ clientId: callerClient });
    const text = `${wholeToken} ${sample} ${signature}.`;
    answers(
      { title: text, detail: text, code: text, errors: [{ pointer: text, detail: text }] },
      401,
    );
    const names: Readonly<Record<string, string>> = {
      'orders.jwt': file(sample),
      'orders-writer.yaml': mappingFile('orders-writer', 'x'),
    };
    const words = [...example.matchAll(/'([^']*)'|(\S+)/g)].map(
      ([, quoted, word]) => quoted ?? word,
    );
    const args = words.slice(1).map((word = '') => names[word] ?? word);
    const add: AddCommand = (program, edge) => {
      addAll(program, edge);
      addProposalCommands(program, edge);
    };
    const common = ['--admin-url', url, '--admin-token-file', file(token)];
    const edge = { terminal: terminal('yes'), env: { EDITOR: 'true' } };
    const { code, out, err } = await runCommandLine(add, [...args, ...common], edge);
    expect([code, err]).toEqual([1, expect.stringContaining('401: [withheld]')]);
    expect(out + err).not.toContain(token.split('.')[2]);
    if (args.includes('--token-file')) expect(out + err).not.toContain(sample.split('.')[2]);
  });

  it.each(['table', 'json', 'yaml'])(
    'T263: gets no token printed that it sends back in a mapping, as %s',
    async (format) => {
      const version = { id: 'x', version: 1, action: wholeToken, updatedAt: signature };
      const who = { updatedBy: wholeToken, actorProven: true, reason: wholeToken };
      const echoing = { ...testMapping('x'), description: wholeToken, owner: signature };
      answers({ ...version, ...who, mapping: echoing });
      const token = admin.token();
      const common = ['--admin-url', url, '--admin-token-file', file(token)];
      const args = ['mappings', 'get', 'x', '-o', format, ...common];
      const { code, out, err } = await runCommandLine(addAll, args);
      expect([code, err, out]).toEqual([0, '', expect.stringContaining('[withheld]')]);
      expect(out).not.toContain(token.split('.')[2]);
    },
  );

  it.each(['\n', '\r\n', '\u2028', '\u0085'])(
    'T217: begins no line of what is printed, where CI systems look for commands: %j',
    async (feed) => {
      const text = `x${feed}::error::pwned`;
      const errors = [{ pointer: '::error::pwned', detail: text }];
      for (const member of ['detail', 'title', 'code', 'request_id']) {
        answers({ [member]: text, errors: [...errors, { pointer: text, detail: 'x' }] }, 422);
        const { code, err } = await run(['mappings', 'get', 'x'], { url });
        expect([code, err]).toEqual([1, expect.stringContaining('::error::pwned')]);
        expect(err.split(/[\n\r\u2028\u0085]/).filter((line) => /^\s*::/.test(line))).toEqual([]);
        expect(lines(err)).toEqual([]);
      }
    },
  );

  it('T217: prints what an edit answers visibly', async () => {
    answers({
      id: hostile,
      action: hostile,
      dryRun: true,
      changes: [{ pointer: `/${hostile}`, before: hostile, after: { [hostile]: hostile } }],
      warnings: [{ pointer: hostile, detail: hostile }],
      revokeSessions: { role: hostile, policy: hostile },
    });
    const args = ['freeze', '--pool', adminPool, '--anybody', ...reason];
    const { out, err } = await run(args, { url, terminal: terminal('yes') });
    expect([lines(out), lines(err), out === '']).toEqual([[], [], false]);
  });

  it.each([
    ['no JSON', '<p>Sign in</p>'],
    ['a name twice', '{"revision":1,"items":[],"items":[],"quarantined":[]}'],
    ['no list', '{"revision":1,"items":{},"quarantined":[]}'],
    [
      'a mapping without a role',
      '{"revision":1,"items":[{"version":1,"mapping":{}}],"quarantined":[]}',
    ],
    ['too much', `{"revision":1,"items":[],"quarantined":[],"x":"${'x'.repeat(2 * 1024 * 1024)}"}`],
  ])('T218: is not believed where it says %s', async (_what, text) => {
    answer = text;
    status = 200;
    const { code, out, err } = await run(['mappings', 'list'], { url });
    expect([code, out, err]).toEqual([
      1,
      '',
      expect.stringMatching(/not as an admin listener|cannot read/),
    ]);
  });

  it('T218: does not keep a command going for ever, page after page', async () => {
    answers({ revision: 1, items: [], quarantined: [], nextCursor: 'again' });
    const { code, err } = await run(['mappings', 'list'], { url });
    expect([code, err]).toEqual([1, expect.stringContaining('page after page')]);
  });

  it('T218: has two minutes for all pages of a list', async () => {
    let page = 0;
    const clock = createTestClock();
    const slow = createServer((_req, res) => {
      page += 1;
      const next = { revision: 1, items: [], quarantined: [], nextCursor: `page-${page}` };
      // Each page alone is there in time.
      void clock.jump(9_000).then(() => res.end(JSON.stringify(next)));
    });
    const slowUrl = await listenOnLoopback(slow);
    const add: AddCommand = (program, edge) => addAdminCommand(program, listMappings, edge, clock);
    const { code, err } = await run(['list'], { url: slowUrl, add });
    await closeServer(slow);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/no end of the list within 2 min|page after page/),
    ]);
    expect(page).toBeLessThan(16);
  });

  it('T218: has ten seconds to answer', async () => {
    silent = true;
    const clock = createTestClock();
    const add: AddCommand = (program, edge) => addAdminCommand(program, listMappings, edge, clock);
    const asked = run(['list'], { url, add });
    await until(() => waiting > 0);
    await clock.expireDeadlines();
    expect(await asked).toMatchObject({
      code: 1,
      err: expect.stringContaining('no answer within 10 s'),
    });
    silent = false;
  });
});

describe('every command by the admin API', () => {
  const examples = [...mappingCommands, ...Object.values(topCommands)].flatMap((command) =>
    command.examples
      // Those between folders have tests of their own.
      .filter((example) => !example.includes('main/'))
      .map((example) => [example] as const),
  );
  let editor: string;
  let files: Readonly<Record<string, string>>;
  beforeAll(async () => {
    await admin.create(testMapping('orders-writer', { description: 'as it was' }));
    await written('orders-writer', 'as it is');
    const text = '#!/bin/sh\nsed -i "s/^description: .*/description: edited/" "$1"\n';
    editor = file(text, 'editor');
    chmodSync(editor, 0o700);
    files = {
      'orders.jwt': file(admin.issuer.issueAccessToken({ clientId: callerClient })),
      'orders-writer.yaml': mappingFile('orders-writer', 'from a file'),
    };
  });

  /** Of the app client that the examples freeze; the id is theirs, too. */
  const freeze = () =>
    admin.send('POST', '/v1/freezes', {
      headers: { 'change-reason': 'a test needs it' },
      body: { principal: { pool: adminPool, client: callerClient }, role: '*' },
    });
  afterEach(async () => {
    const frozen = await admin.send('GET', '/v1/freezes');
    for (const { mapping } of frozen.body.items) {
      await run(['unfreeze', mapping.id, ...reason, '--yes']);
    }
  });

  it.each(examples)('does what an example of its --help says: %s', async (example) => {
    if (example.includes(' unfreeze ')) await freeze();
    const words = [...example.matchAll(/'([^']*)'|(\S+)/g)].map(
      ([, quoted, word]) => quoted ?? word,
    );
    const args = words.slice(1).map((word = '') => files[word] ?? word);
    const { code, err } = await run(args, { terminal: terminal('yes'), env: { EDITOR: editor } });
    // Nothing was decided here, and a client without a mapping of its own gets nothing.
    expect([code, err]).toEqual([
      /--request-id|2reports0|reports-team --role/.test(example) ? 1 : 0,
      expect.any(String),
    ]);
  });

  it.each([
    ...mappingCommands.map(({ name }) => ['mappings', name]),
    ...Object.keys(topCommands).map((name) => [name]),
  ])('has examples and exit codes in --help: %s %s', async (...names) => {
    const { code, out } = await runCommandLine(addAll, [...names, '--help']);
    expect([code, out]).toEqual([0, expect.stringMatching(/\nExamples:\n {2}token-broker /)]);
    expect(out).toMatch(/\nExit codes: 0 .*wrong usage\.\n/);
  });

  it('says what is missing on its command line', async () => {
    const nowhere = await runCommandLine(addAll, ['freezes']);
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringContaining('--admin-url')]);
    const nobody = await runCommandLine(addAll, ['freezes', '--admin-url', admin.url]);
    expect([nobody.code, nobody.err]).toEqual([2, expect.stringContaining('--admin-token-file')]);
    for (const id of ['../changes', 'A', 'x/y', '%2e']) {
      expect(await run(['mappings', 'get', id])).toMatchObject({ code: 2 });
    }
    expect(await run(['unfreeze', 'orders-writer', ...reason])).toMatchObject({ code: 2 });
  });

  it('tells an administrator whose token is refused to get another', async () => {
    const stale = file(admin.token({ expiresInSeconds: 1 }));
    await admin.clock.advance(120_000);
    const args = ['freezes', '--admin-url', admin.url, '--admin-token-file', stale];
    const { code, err } = await runCommandLine(addAll, args);
    expect([code, err]).toEqual([1, expect.stringMatching(/401: [\s\S]*fresh token/)]);
  });
});

describe('colours', () => {
  const stream = (isTTY: boolean) => ({ isTTY, columns: 80 }) as never;
  const colours = (isTTY: boolean, env: Readonly<Record<string, string>> = {}) =>
    processTerminal({ stdin: stream(true), stdout: stream(isTTY), stderr: stream(true), env })
      .colours;

  it('are for terminals, unless NO_COLOR or the terminal says otherwise', () => {
    expect([colours(true), colours(false)]).toEqual([true, false]);
    expect(colours(true, { NO_COLOR: '1' })).toBe(false);
    expect(colours(true, { NO_COLOR: '' })).toBe(true);
    expect(colours(true, { TERM: 'dumb' })).toBe(false);
  });

  it('are in the table where there are any', async () => {
    await written('coloured', '');
    const { out } = await run(['mappings', 'list'], { terminal: { ...terminal(), colours: true } });
    expect(out).toContain('\u001b[32mallow');
    const plain = await run(['mappings', 'list']);
    expect(plain.out).not.toContain('\u001b');
  });
});
