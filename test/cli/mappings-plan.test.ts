import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { mappingText, pool, row } from '../support/mapping-folder.ts';
import { mappingStack } from '../support/mapping-stack.ts';

const stack = mappingStack();
const { folders } = stack;

describe('mappings plan', () => {
  it('shows every change field by field, against which revision, and exits with 2', async () => {
    const table = await stack.newTable();
    await table.put(row('changed', { session: { durationSeconds: 1800 }, precedence: 7 }));
    await table.put(row('same'));
    await table.put(row('gone'));
    const directory = folders.folder({
      'new.yaml': mappingText('new'),
      'two.yaml': `${mappingText('changed', 'conditions: { scopes: [a/b] }')}\n---\n${mappingText('same')}`,
    });
    const { code, out, err } = await table.plan(directory, { prune: true });
    expect([code, err.match(/warning: .{17}/g)]).toEqual([
      2,
      ['warning: /principal/client', 'warning: /principal/client'],
    ]);
    expect(out.replaceAll(directory, 'DIR')).toBe(
      `Table ${table.config.policy.table} in us-east-1 at ${table.config.policy.endpoint}, revision 3

  + new (DIR/new.yaml:1)
      + id: "new"
      + description: ""
      + principal: {"pool":"us-east-1_Local0001","client":"client-new"}
      + effect: "allow"
      + role: "arn:aws:iam::123456789012:role/broker/new"
      + conditions: {}
      + session: {"durationSeconds":3600,"maxDurationSeconds":3600,"name":"{sub}","policyArns":[]}
      + precedence: 100
      + owner: "payments"
      + managedBy: "git"
      + enabled: true

  ~ changed (version 1, DIR/two.yaml:1)
      + conditions.scopes: ["a/b"]
      ~ session.durationSeconds: 1800 -> 3600
      ~ precedence: 7 -> 100

  - gone (version 1)
      - id: "gone"
      - description: ""
      - principal: {"pool":"us-east-1_Local0001","client":"client-gone"}
      - effect: "allow"
      - role: "arn:aws:iam::123456789012:role/broker/gone"
      - conditions: {}
      - session: {"durationSeconds":3600,"maxDurationSeconds":3600,"name":"{sub}","policyArns":[]}
      - precedence: 100
      - owner: "payments"
      - managedBy: "git"
      - enabled: true

Plan: 1 to create, 1 to replace, 1 to delete; 1 unchanged.

  + client client-new of us-east-1_Local0001 gains arn:aws:iam::123456789012:role/broker/new
  - client client-gone of us-east-1_Local0001 loses arn:aws:iam::123456789012:role/broker/gone
  ~ client client-changed of us-east-1_Local0001 has on other terms arn:aws:iam::123456789012:role/broker/changed
`,
    );
  });

  it('changes nothing by itself, and exits with 0 when the table says what the files say', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    expect((await table.plan(directory)).code).toBe(2);
    expect(await table.table.head()).toBe(0);
    await table.put(row('a'));
    const { code, out } = await table.plan(directory);
    expect([code, out]).toEqual([0, expect.stringContaining('nothing to change; 1 unchanged')]);
  });

  it('deletes nothing without --prune, but calls an owned mapping that is in no file drift', async () => {
    const table = await stack.newTable();
    await table.put(row('kept'));
    await table.put(row('left-over'));
    const directory = folders.folder({ 'a.yaml': mappingText('kept') });
    const { code, out } = await table.plan(directory, { json: true });
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      revision: 2,
      changes: [],
      unchanged: 1,
      notInFiles: [{ id: 'left-over', version: 1 }],
    });
    expect((await table.plan(directory)).out).toContain('left-over, version 1');
  });

  it('prints with --json what it saves with --out', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const file = folders.path('saved-plan.json');
    const { out, err } = await table.plan(directory, { json: true, out: file });
    expect(readFileSync(file, 'utf8')).toBe(out);
    expect(err).toContain(`--plan ${file}`);
  });

  it('makes new denies first and takes denies away last', async () => {
    const table = await stack.newTable();
    const deny = { effect: 'deny', role: '*' };
    for (const [id, fields] of Object.entries({
      'a-deny-gone': deny,
      'b-deny-changed': deny,
      'c-gone': {},
      'd-changed': {},
      'e-denies-now': {},
    })) {
      await table.put(row(id, fields));
    }
    const directory = folders.folder({
      'all.yaml': [
        mappingText('b-deny-changed', 'precedence: 1').replace('allow', 'deny'),
        mappingText('d-changed', 'precedence: 1'),
        mappingText('e-denies-now').replace('allow', 'deny'),
        mappingText('f-new'),
        mappingText('g-new-deny').replace('allow', 'deny'),
      ].join('\n---\n'),
    });
    const { out } = await table.plan(directory, { prune: true, json: true });
    expect(JSON.parse(out).changes.map(({ id }: { id: string }) => id)).toEqual([
      'e-denies-now',
      'g-new-deny',
      'f-new',
      'd-changed',
      'c-gone',
      'b-deny-changed',
      'a-deny-gone',
    ]);
  });

  it('refuses a folder with any fault: exit 1, and every fault with file, line and column', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({
      'a.yaml': mappingText('a').replace('allow', 'perhaps'),
      'b.yaml': mappingText('b', 'colour: red'),
      'c.yaml': mappingText('c'),
    });
    const { code, out, err } = await table.plan(directory);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`${directory}/a.yaml:3:1: /effect: `);
    expect(err).toContain(`${directory}/b.yaml:6:1: /colour: is not a member of a role mapping`);
  });

  it('takes an empty folder for the wrong one, so that --prune cannot empty the table', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    for (const directory of [folders.folder(), folders.folder({ 'x.test.yaml': 'tests: []' })]) {
      const { code, err } = await table.plan(directory, { prune: true });
      expect([code, err]).toEqual([1, expect.stringContaining('holds no role mapping')]);
    }
    const { code, err } = await table.plan(folders.path('nowhere'), { prune: true });
    expect([code, err]).toEqual([1, expect.stringContaining('cannot be read (ENOENT)')]);
  });

  it('shows one changed action as one action, within the statement that has it', async () => {
    const statement = { Sid: 'Read', Effect: 'Allow', Action: ['s3:GetObject'], Resource: '*' };
    const other = { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: '*' };
    const policy = (statements: readonly object[]) => ({
      session: { policy: { Version: '2012-10-17', Statement: statements } },
    });
    const table = await stack.newTable();
    await table.put(row('wider', policy([statement, other])));
    const wider = { ...statement, Action: ['s3:GetObject', 's3:PutObject'] };
    const session = JSON.stringify(policy([other, wider]).session);
    const directory = folders.folder({ 'a.yaml': mappingText('wider', `session: ${session}`) });
    const { out } = await table.plan(directory);
    expect(out.split('\n').filter((line) => /^ +[+~-] \w+\./.test(line))).toEqual([
      '      + session.policy.Statement.1.Action.1: "s3:PutObject"',
    ]);
    expect(out).toContain('Nobody gains or loses a role');
  });

  it.each(['CURRENT', 'V#0000000001'])(
    'T384: goes on where %s is nested without end',
    async (sk) => {
      const table = await stack.newTable();
      await table.put(row('a'));
      await table.byHand('a', row('a', { precedence: 3 }));
      const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
      const text = JSON.stringify({ ...row('a'), deep: 0 }).replace('"deep":0', `"deep":${deep}`);
      await table.rewrite({ pk: 'MAPPING#a', sk }, { mapping: text });
      const directory = folders.folder({ 'a.yaml': mappingText('a') });
      expect((await table.plan(directory, { adopt: true })).code).toBe(2);
      expect((await table.apply(directory, { adopt: true })).code).toBe(0);
      expect(await table.documents()).toMatchObject({ a: { precedence: 100 } });
    },
  );

  it('T382: takes no mapping that has ended for one that gives a role, and tells of other terms', async () => {
    const table = await stack.newTable();
    const grant = { principal: { pool, client: 'client-a' }, role: row('a').role };
    await table.put(row('ended', { ...grant, conditions: { expiresAt: '2020-01-01T00:00:00Z' } }));
    await table.put(row('b', { conditions: { scopes: ['a/b'] } }));
    await table.put(row('c'));
    const files = (more: Readonly<Record<string, string>>) =>
      folders.folder({
        'b.yaml': mappingText('b', 'conditions: { scopes: [a/b] }'),
        'c.yaml': mappingText('c'),
        ...more,
      });
    const access = async (more: Readonly<Record<string, string>>) =>
      (await table.plan(files(more), { markdown: true })).out.split('```')[1];
    const gains = `diff\n+ client client-a of ${pool} gains ${grant.role}\n`;
    expect(await access({ 'a.yaml': mappingText('a') })).toBe(gains);
    const again = mappingText('ended', 'conditions: { expiresAt: 2999-01-01T00:00:00Z }');
    const renewed = again.replace('client-ended', 'client-a').replace('broker/ended', 'broker/a');
    expect(await access({ 'ended.yaml': renewed })).toBe(gains);
    const terms = (id: string) =>
      `~ client client-${id} of ${pool} has on other terms ${row(id).role}\n`;
    // A second one beside it, one that is narrowed, and one that is but renamed.
    const beside = mappingText('d').replace('client-d', 'client-b').replace('broker/d', 'broker/b');
    expect(
      await access({
        'd.yaml': beside,
        'c.yaml': mappingText('c', 'session: { durationSeconds: 900 }'),
      }),
    ).toBe(`diff\nNobody gains or loses a role.\n${terms('c')}${terms('b')}`);
    expect(await access({ 'c.yaml': mappingText('c', 'description: Words.') })).toBe(
      'diff\nNobody gains or loses a role.\n',
    );
  });

  it('counts a role as lost only if no other mapping gives it', async () => {
    const role = 'arn:aws:iam::123456789012:role/broker/kept';
    const principal = { pool, client: 'client-kept' };
    const table = await stack.newTable();
    for (const id of ['first', 'second']) await table.put(row(id, { role, principal }));
    const deny = 'effect: deny\nrole: "*"\nowner: payments';
    const directory = folders.folder({
      'a.yaml': JSON.stringify({
        id: 'second',
        principal,
        effect: 'allow',
        role,
        owner: 'payments',
      }),
      'b.yaml': `id: stop\nprincipal: { pool: ${pool}, group: stopped }\n${deny}\n`,
    });
    const { out } = await table.plan(directory, { prune: true });
    expect(out).toContain('  - first (version 1)\n');
    expect(out.split('\n').filter((line) => / of us-east-1/.test(line))).toEqual([
      `  - group stopped of ${pool} is denied every role`,
    ]);
  });

  it('is text for a pull request, in which no value ends the block that it stands in', async () => {
    const table = await stack.newTable();
    await table.put(row('gone'));
    const description = JSON.stringify('```\n# owned');
    const directory = folders.folder({
      'a.yaml': mappingText('new', `description: ${description}`).replace('payments', 'others'),
    });
    const { out } = await table.plan(directory, { prune: true, markdown: true });
    expect(out.split('\n').filter((line) => line.startsWith('```'))).toEqual([
      '```diff',
      '```',
      '```diff',
      '```',
      '```diff',
      '```',
    ]);
    expect(out).toMatch(/\n### Warnings\n\n```diff\n! .*a\.yaml:\d+:\d+: warning: /);
    expect(out).toMatch(
      /^### .*\n\n```diff\n\+ client client-new .* gains .*\n- client client-gone .* loses /,
    );
    expect(out).toContain('By owner:\n  others: 1 to create, 0 to replace, 0 to delete\n');
  });

  it('T378: counts a mapping that goes from one owner to another for both of them', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    const directory = folders.folder({ 'a.yaml': mappingText('a').replace('payments', 'others') });
    for (const markdown of [false, true]) {
      const { out } = await table.plan(directory, { adopt: true, markdown });
      expect(out).toContain(
        'By owner:\n  others: 0 to create, 1 to replace, 0 to delete\n  payments: 0 to create, 1 to replace, 0 to delete; 1 of them to another owner\n',
      );
    }
  });

  it('T379: saves a plan to no file that a link in its place leads to', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const work = folders.folder({ 'profile.sh': 'mine' });
    folders.link(work, 'plan.json', 'profile.sh');
    const refused = await table.plan(directory, { out: join(work, 'plan.json') });
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining('plan.json is a link'),
    ]);
    expect(readFileSync(join(work, 'profile.sh'), 'utf8')).toBe('mine');
    // A device or a pipe of a shell is there to be written to, by whatever name.
    folders.link(work, 'nowhere.json', '/dev/null');
    expect((await table.plan(directory, { out: join(work, 'nowhere.json') })).code).toBe(2);
  });

  it('T261: tells what was changed outside of Git, by whom, when and why, from the change at hand', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    await table.put(row('b'));
    await table.put(row('c'));
    await table.put(row('same'));
    await table.byHand('a', row('a', { session: { durationSeconds: 1800 } }), 'INC-7: shorter');
    await table.byHand('a', row('a', { session: { durationSeconds: 900 } }), 'INC-8: shorter yet');
    await table.byHand('c', undefined, 'INC-9: gone');
    await table.byHand('extra', row('extra'), 'INC-10: more');
    const directory = folders.folder({
      'a.yaml': mappingText('a', 'precedence: 7'),
      'b.yaml': mappingText('b', 'precedence: 8'),
      'c.yaml': mappingText('c'),
      'same.yaml': mappingText('same'),
    });
    const { code, out } = await table.plan(directory);
    expect(code).toBe(2);
    const shown = out.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'THEN').replaceAll(directory, 'DIR');
    expect(shown).toContain(`
  ~ a (version 3, DIR/a.yaml:1)
      changed outside of Git:
        replace at THEN by alice: INC-8: shorter yet
        replace at THEN by alice: INC-7: shorter
      which applying takes back:
        ~ session.durationSeconds: 900 -> 3600
      this change:
        ~ precedence: 100 -> 7
`);
    expect(shown).toContain(`
  ~ b (version 1, DIR/b.yaml:1)
      ~ precedence: 100 -> 8
`);
    expect(shown).toContain(`
  + c (DIR/c.yaml:1)
      changed outside of Git:
        delete at THEN by alice: INC-9: gone
      which applying takes back:
        + id: "c"
`);
    expect(shown).toContain(`
    extra, version 1
      changed outside of Git:
        create at THEN by alice: INC-10: more
`);
    expect(shown).toContain('Changed outside of Git: a, c, extra.\n');
    expect(shown).toContain('mappings export --config FILE --update DIR');
    const { out: markdown } = await table.plan(directory, { markdown: true });
    expect(markdown).toContain('by alice: INC-8: shorter yet');
    // Once it is applied, nothing of it is left to tell.
    await table.apply(directory);
    const again = folders.folder({ 'a.yaml': mappingText('a', 'precedence: 6') });
    expect((await table.plan(again)).out).toContain('a.yaml:1)\n      ~ precedence: 7 -> 6\n');
  });

  it('T380: tells of what was changed while a mapping was taken from Git by hand, and back', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    await table.byHand('a', row('a', { managedBy: 'api' }), 'INC-1: mine');
    await table.put(row('a', { managedBy: 'api', precedence: 3 }));
    await table.byHand('a', row('a', { precedence: 3 }), 'INC-2: as it was');
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const { out } = await table.plan(directory);
    expect(out).toMatch(/INC-2: as it was\n.*: test\n.*INC-1: mine\n/);
    expect(out).toContain('which applying takes back:\n        ~ precedence: 3 -> 100\n');
    const { code } = await table.update(directory);
    expect([code, readFileSync(join(directory, 'a.yaml'), 'utf8')]).toEqual([
      0,
      expect.stringContaining('precedence: 3'),
    ]);
  });

  it('reads no history but of what was changed outside of Git last, and of what is not there', async () => {
    const table = await stack.newTable();
    for (const id of ['a', 'same', 'extra', 'one', 'two']) await table.put(row(id));
    await table.byHand('b', row('b'));
    const directory = folders.folder({
      'a.yaml': mappingText('a', 'precedence: 7'),
      'same.yaml': mappingText('same'),
      'new.yaml': mappingText('new'),
    });
    const { calls } = stack.server;
    const before = calls.length;
    expect((await table.plan(directory)).out).toContain('Changed outside of Git: b.\n');
    // Those of b and new.
    expect(calls.slice(before).filter((call) => call === 'Query')).toHaveLength(2);
  });

  it('T261: knows what was changed outside of Git again, wherever the files have it in a list by now', async () => {
    const table = await stack.newTable();
    const statement = (name: string, Effect = 'Allow') => ({
      Sid: name,
      Effect,
      Action: 's3:GetObject',
      Resource: '*',
    });
    const policy = (...Statement: readonly object[]) => ({
      session: { durationSeconds: 3600, policy: { Version: '2012-10-17', Statement } },
    });
    const scopes = (...names: readonly string[]) => ({
      conditions: { scopes: names.map((name) => `orders/${name}`) },
    });
    const cases = [
      {
        id: 'a',
        git: scopes('a', 'b', 'c'),
        hand: scopes('a', 'c'),
        file: scopes('x', 'a', 'b', 'c'),
      },
      { id: 'b', git: scopes('b', 'c'), hand: scopes('a', 'b', 'c'), file: scopes('x', 'c', 'b') },
      {
        id: 'c',
        git: policy(statement('one'), statement('two')),
        hand: policy(statement('one'), statement('two', 'Deny')),
        file: policy(statement('new'), statement('one'), statement('two')),
      },
      // Came by hand as a whole, and the file has another of it.
      {
        id: 'new',
        git: {},
        hand: policy(statement('one')),
        file: policy(statement('one', 'Deny')),
      },
      // Settled: the file has it as well, and another where it stood.
      {
        id: 'same',
        git: scopes('a', 'c'),
        hand: scopes('a', 'b', 'c'),
        file: scopes('a', 'x', 'b', 'c'),
      },
    ];
    for (const { id, git, hand } of cases) {
      await table.put(row(id, git));
      await table.byHand(id, row(id, hand), 'INC-7');
    }
    const directory = folders.folder(
      Object.fromEntries(
        cases.map(({ id, file: fields }) => [
          `${id}.yaml`,
          mappingText(
            id,
            Object.entries(fields)
              .map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
              .join('\n'),
          ),
        ]),
      ),
    );
    const { out } = await table.plan(directory);
    const told = Object.fromEntries(
      [...out.matchAll(/^ {2}~ (\w+) \(.*\n((?: {6}.*\n)+)/gm)].map(([, id, lines = '']) => [
        id,
        lines.split('\n').flatMap((line) => /^ +([+~-] .*|[^:]+:$)/.exec(line)?.[1] ?? []),
      ]),
    );
    const [outside, back, own] = [
      'changed outside of Git:',
      'which applying takes back:',
      'this change:',
    ];
    const scope = 'conditions.scopes';
    const statements = 'session.policy.Statement';
    expect(told).toEqual({
      a: [outside, back, `+ ${scope}.2: "orders/b"`, own, `+ ${scope}.0: "orders/x"`],
      b: [outside, back, `- ${scope}.0: "orders/a"`, own, `+ ${scope}.0: "orders/x"`],
      c: [
        outside,
        back,
        `~ ${statements}.2.Effect: "Deny" -> "Allow"`,
        own,
        `+ ${statements}.0: ${JSON.stringify(statement('new'))}`,
      ],
      new: [outside, own, `~ ${statements}.0.Effect: "Allow" -> "Deny"`],
      same: [`+ ${scope}.1: "orders/x"`],
    });
    expect(out).toContain('Changed outside of Git: a, b, c, new.\n');
  });

  it('says once what is wrong with many alike', async () => {
    const table = await stack.newTable();
    const many = Array.from({ length: 12 }, (_, at) => mappingText(`many-${at}`));
    const { err } = await table.plan(folders.folder({ 'all.yaml': many.join('\n---\n') }));
    const ofPeople = err.split('\n').filter((line) => line.includes('everybody who signs in'));
    expect(ofPeople).toEqual([expect.stringContaining('the same in 11 more places')]);
  });

  it('says what to do when the table cannot be reached', async () => {
    const table = await stack.newTable();
    const config = { ...table.config, policy: { ...table.config.policy, table: 'absent' } };
    const { mappingsPlan } = await import('../../src/cli/mappings-plan.ts');
    const planning = mappingsPlan({
      directory: folders.folder({ 'a.yaml': mappingText('a') }),
      config,
      scope: { owners: [], adopt: false, prune: false },
      json: false,
      markdown: false,
      out: undefined,
      output: { out: () => undefined, err: () => undefined },
      terminal: { colours: false, ask: undefined, showProgress: () => undefined },
    });
    await expect(planning).rejects.toMatchObject({
      code: 'table_unavailable',
      message: expect.stringContaining('does not exist'),
    });
  });
});

describe('ownership', () => {
  it('never touches rows that the API manages, whatever is pruned', async () => {
    const table = await stack.newTable();
    await table.put(row('by-hand', { managedBy: 'api' }));
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const { out } = await table.plan(directory, { prune: true, json: true });
    expect(JSON.parse(out)).toMatchObject({ changes: [{ id: 'a' }], notInFiles: [] });
  });

  it('refuses a file whose id the API has, and takes it over with --adopt', async () => {
    const table = await stack.newTable();
    await table.put(row('a', { managedBy: 'api' }));
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const refused = await table.plan(directory);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`${directory}/a.yaml:1:1: /id: `);
    expect(refused.err).toContain('managed through the API');
    expect(refused.err).toContain('--adopt');
    const { code, out } = await table.plan(directory, { adopt: true });
    expect([code, out]).toEqual([2, expect.stringContaining('~ managedBy: "api" -> "git"')]);
  });

  it('is limited by --owner: rows of others are neither changed nor pruned', async () => {
    const table = await stack.newTable();
    await table.put(row('theirs', { owner: 'orders' }));
    await table.put(row('ours'));
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const { out } = await table.plan(directory, { owners: ['payments'], prune: true, json: true });
    expect(JSON.parse(out).changes).toMatchObject([
      { id: 'a', action: 'create' },
      { id: 'ours', action: 'delete' },
    ]);
    const stolen = folders.folder({ 'a.yaml': mappingText('theirs') });
    const { code, err } = await table.plan(stolen, { owners: ['payments'] });
    expect([code, err]).toEqual([1, expect.stringContaining('belongs to another owner')]);
  });

  it('refuses a file that names an owner outside of --owner', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const { code, err } = await table.plan(directory, { owners: ['orders', 'stock'], adopt: true });
    expect(code).toBe(1);
    expect(err).toContain(
      'a.yaml:5:1: /owner: must be one of those given by --owner: orders, stock',
    );
  });

  it('leaves alone what a file calls managed by the API, and says that the file has no effect', async () => {
    const table = await stack.newTable();
    await table.put(row('copy', { managedBy: 'api', precedence: 5 }));
    const directory = folders.folder({
      'copy.yaml': mappingText('copy', 'managedBy: api'),
      'other.yaml': mappingText('other', 'managedBy: api'),
    });
    const { code, err } = await table.plan(directory, { prune: true, adopt: true });
    expect(code).toBe(0);
    expect(err).toContain('copy.yaml:6:1: warning: /managedBy: api: the file has no effect');
    expect(err).toContain('is not in the table');
  });

  it('gives a mapping back to the API when its file says so', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    const directory = folders.folder({ 'a.yaml': mappingText('a', 'managedBy: api') });
    const { code, out } = await table.plan(directory);
    expect([code, out]).toEqual([2, expect.stringContaining('~ managedBy: "git" -> "api"')]);
  });
});

describe('what acts on a terminal, or is not seen', () => {
  const hostile = '\u001b[2J\u009b2J\u202egnp\u2028\u200b';
  const raw = (text: string) =>
    text.split('\n').filter((line) => /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line));
  const described = (id: string) => mappingText(id, `description: ${JSON.stringify(hostile)}\n`);

  it('T264: is in nothing that plan and export print or write, and everything reads back as it was', async () => {
    const table = await stack.newTable();
    const directory = folders.folder({ 'a.yaml': described('a') });
    const file = folders.path('hostile-plan.json');
    const plain = await table.plan(directory, { out: file });
    const json = await table.plan(directory, { json: true });
    expect([plain, json].flatMap(({ out, err }) => raw(out + err))).toEqual([]);
    expect(raw(readFileSync(file, 'utf8'))).toEqual([]);
    const applied = await table.apply(undefined, { plan: file });
    expect([applied.code, raw(applied.out + applied.err)]).toEqual([0, []]);
    expect(await table.documents()).toMatchObject({ a: { description: hostile } });
    const exported = folders.path('hostile-export');
    await table.export(exported);
    expect(raw(readFileSync(`${exported}/a.yaml`, 'utf8'))).toEqual([]);
    expect(raw((await table.export()).out)).toEqual([]);
    expect(await table.plan(exported)).toMatchObject({ code: 0 });
    const wrong = folders.folder({ 'a.yaml': `${described('a')}${JSON.stringify(hostile)}: 1\n` });
    const refused = await table.plan(wrong, { json: true });
    expect([refused.code, raw(refused.out)]).toEqual([1, []]);
  });

  it('T376: of two names that look alike, shows in which way they differ', async () => {
    const table = await stack.newTable();
    const group = (name: string) =>
      mappingText('a').replace('client: client-a', `group: ${JSON.stringify(name)}`);
    const alike = ['\u3164', '\u115f', '\ufe0f', '\u034f', '\u{e0100}', '\u2800'];
    for (const [index, unseen] of alike.entries()) {
      const directory = folders.folder({ 'a.yaml': group(`admins${unseen}`) });
      const { out } = await table.plan(directory, { markdown: index % 2 === 0 });
      expect(out).not.toContain(unseen);
      expect(out).toContain(`group admins\\u{${unseen.codePointAt(0)?.toString(16)}} of`);
    }
    const spaced = folders.folder({
      'a.yaml': mappingText('a', 'description: "a\u00a0b\u3000c d"'),
    });
    expect((await table.plan(spaced)).out).toContain('"a\\u{a0}b\\u{3000}c d"');
  });

  it.each([false, true])(
    'T264: is in nothing that apply says of a plan that somebody wrote (--json: %p)',
    async (json) => {
      const table = await stack.newTable();
      const file = folders.path(`planned-${json}.json`);
      await table.plan(folders.folder({ 'a.yaml': mappingText('a') }), { out: file });
      const plan = JSON.parse(readFileSync(file, 'utf8'));
      const text = `x\n::error::${hostile}`;
      const [change] = plan.changes;
      const altered: readonly object[] = [
        { table: { ...plan.table, name: text } },
        { table: { ...plan.table, region: text } },
        { table: { ...plan.table, endpoint: text } },
        { owners: [text], notInFiles: [{ id: text, version: 1 }], revision: 7 },
        { changes: [{ ...change, source: text }], revision: 7 },
        { format: text },
      ];
      for (const members of altered) {
        writeFileSync(file, JSON.stringify({ ...plan, ...members }));
        const { code, out, err } = await table.apply(undefined, { plan: file, json });
        expect([code, raw(out + err)]).toEqual([1, []]);
        expect(`${out}\n${err}`).not.toMatch(/^\s*::error/m);
      }
    },
  );
});
