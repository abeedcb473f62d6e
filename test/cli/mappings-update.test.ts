import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { mappingText, row } from '../support/mapping-folder.ts';
import { mappingStack } from '../support/mapping-stack.ts';

const stack = mappingStack();
const { folders } = stack;

/** As somebody wrote it: with comments, and a style of its own. */
const written = (id: string) => `# yaml-language-server: $schema=schemas/role-mapping.v1.json
# Why this is there: PAY-1.
id: ${id}
principal: {pool: us-east-1_Local0001,   client: client-${id}} # the batch
effect: allow
role: 'arn:aws:iam::123456789012:role/broker/${id}'

conditions:
  # both of them
  scopes: [ "a/read", a/write ]   # sorted
session:
    durationSeconds: 1800 # half an hour
    policy:
        Version: "2012-10-17"
        Statement:
            # reads
            - { Sid: read, Effect: Allow, Action: [s3:GetObject], Resource: "*" }
            # lists
            - Sid: list
              Effect: Allow
              Action: s3:ListBucket
              Resource: "*"
owner: payments
`;
const statements = [
  { Sid: 'read', Effect: 'Allow', Action: ['s3:GetObject'], Resource: '*' },
  { Sid: 'list', Effect: 'Allow', Action: 's3:ListBucket', Resource: '*' },
];
const session = (durationSeconds: number, Statement: readonly object[] = statements) => ({
  durationSeconds,
  policy: { Version: '2012-10-17', Statement },
});
const scopes = ['a/read', 'a/write'];
const asWritten = (id: string, fields: object = {}) =>
  row(id, { conditions: { scopes }, session: session(1800), ...fields });
const text = (directory: string, name: string) => readFileSync(join(directory, name), 'utf8');

describe('mappings export --update', () => {
  it('brings a hand edit into its file, and leaves every other line and file as it is', async () => {
    const table = await stack.newTable();
    await table.put(asWritten('a'));
    await table.put(row('b'));
    const other = `${mappingText('b')}\n\n\n# the end`;
    const directory = folders.folder({ 'team/a.yaml': written('a'), 'b.yaml': other });
    chmodSync(join(directory, 'team/a.yaml'), 0o640);
    await table.byHand('a', asWritten('a', { session: session(900) }), 'INC-7: shorter');
    const { code, out, err } = await table.update(directory);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(
      /team\/a\.yaml: a, replace at .* by alice: INC-7: shorter\nLook at git diff/,
    );
    expect(text(directory, 'team/a.yaml')).toBe(written('a').replace('1800', '900'));
    expect(text(directory, 'b.yaml')).toBe(other);
    expect(statSync(join(directory, 'team/a.yaml')).mode & 0o777).toBe(0o640);
    const plan = await table.plan(directory);
    expect([plan.code, plan.out]).toEqual([
      0,
      expect.stringContaining('nothing to change; 2 unch'),
    ]);
    expect((await table.update(directory)).out).toBe('Nothing to bring into the files.\n');
  });

  it('brings members and statements that came and went, and keeps the comments of those that stay', async () => {
    const table = await stack.newTable();
    await table.put(asWritten('a'));
    const directory = folders.folder({ 'a.yaml': written('a') });
    const added = { Sid: 'put', Effect: 'Allow', Action: 's3:PutObject', Resource: '*' };
    const changed = {
      description: 'said: "by hand" # no comment',
      conditions: { scopes, caller: 'machine' },
      session: session(1800, [...statements.slice(1), added]),
    };
    await table.byHand('a', asWritten('a', changed));
    expect((await table.update(directory)).code).toBe(0);
    const now = text(directory, 'a.yaml');
    for (const line of written('a').split('\n')) {
      if (!/Sid: read|# reads|^$/.test(line)) expect(now.split('\n')).toContain(line);
    }
    expect((await table.plan(directory)).code).toBe(0);
  });

  it('keeps what the files change themselves, and takes both', async () => {
    const table = await stack.newTable();
    await table.put(asWritten('a'));
    const pending = written('a').replace('owner: payments', 'owner: orders');
    const directory = folders.folder({ 'a.yaml': pending });
    await table.byHand('a', asWritten('a', { precedence: 7 }));
    expect((await table.update(directory)).code).toBe(0);
    expect(text(directory, 'a.yaml')).toBe(`${pending}precedence: 7\n`);
    const { out } = await table.plan(directory);
    expect(out).toMatch(/~ owner: "payments" -> "orders"\n\nPlan/);
    // What the file has as well is no news.
    expect(out).not.toContain('outside of Git');
  });

  it('leaves alone what only the files change', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    const directory = folders.folder({ 'a.yaml': mappingText('a', 'precedence: 7') });
    expect(await table.update(directory)).toMatchObject({
      code: 0,
      out: 'Nothing to bring into the files.\n',
    });
    expect(text(directory, 'a.yaml')).toBe(mappingText('a', 'precedence: 7'));
  });

  it('decides nothing that was changed on both sides', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    await table.put(row('b'));
    const directory = folders.folder({
      'a.yaml': mappingText('a', 'precedence: 7'),
      'b.yaml': mappingText('b'),
    });
    await table.byHand('a', row('a', { precedence: 8 }));
    await table.byHand('b', row('b', { precedence: 9 }));
    const { code, err } = await table.update(directory);
    expect([code, err]).toEqual([1, expect.stringMatching(/^a is left as it is: precedence was/)]);
    expect(text(directory, 'a.yaml')).toBe(mappingText('a', 'precedence: 7'));
    expect(text(directory, 'b.yaml')).toContain('precedence: 9');
  });

  it('takes out what was deleted by hand, and makes a file for what was created', async () => {
    const table = await stack.newTable();
    for (const id of ['a', 'b', 'c']) await table.put(row(id));
    const two = `# first\n${mappingText('a')}---\n# second\n${mappingText('b')}`;
    const directory = folders.folder({ 'two.yaml': two, 'c.yaml': mappingText('c') });
    await table.byHand('a', undefined);
    await table.byHand('c', undefined);
    await table.byHand('made', row('made', { description: 'in a hurry' }));
    expect((await table.update(directory)).code).toBe(0);
    expect(text(directory, 'two.yaml')).toContain('# second');
    expect(text(directory, 'two.yaml')).not.toContain('id: a\n');
    expect(existsSync(join(directory, 'c.yaml'))).toBe(false);
    expect(text(directory, 'made.yaml')).toContain('description: in a hurry');
    expect((await table.plan(directory)).code).toBe(0);
  });

  it('changes one of several mappings of a file', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    await table.put(asWritten('b'));
    const directory = folders.folder({ 'two.yaml': `${mappingText('a')}---\n${written('b')}` });
    await table.byHand('b', asWritten('b', { session: session(900) }));
    expect((await table.update(directory)).code).toBe(0);
    expect(text(directory, 'two.yaml')).toBe(
      `${mappingText('a')}---\n${written('b').replace('1800', '900')}`,
    );
  });

  it('follows the table where a file is only a copy of what the API manages', async () => {
    const table = await stack.newTable();
    await table.put(row('a', { managedBy: 'api', precedence: 3 }));
    const directory = folders.folder({ 'a.yaml': mappingText('a', 'managedBy: api') });
    expect((await table.update(directory)).code).toBe(0);
    expect(text(directory, 'a.yaml')).toContain('precedence: 3');
  });

  it('looks at these owners only', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    await table.byHand('a', row('a', { precedence: 8 }));
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    expect((await table.update(directory, ['orders'])).out).toBe(
      'Nothing to bring into the files.\n',
    );
    expect((await table.update(directory, ['payments'])).out).toContain('a.yaml: a, ');
  });

  it('T262: writes through no link, over no file that is there, and nothing where a file has a fault', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    await table.byHand('a', row('a', { precedence: 8 }));
    await table.byHand('made', row('made'));
    const outside = folders.folder({ 'a.yaml': mappingText('a') });
    const directory = folders.folder({ '..data/a.yaml': mappingText('a') });
    for (const [target, why] of [
      [join(outside, 'a.yaml'), 'links to what is no file of this folder'],
      [join('..data', 'a.yaml'), 'a.yaml is a link'],
    ] as const) {
      folders.link(directory, 'a.yaml', target);
      const linked = await table.update(directory);
      expect([linked.code, linked.err]).toEqual([1, expect.stringContaining(why)]);
      rmSync(join(directory, 'a.yaml'));
    }
    expect(text(outside, 'a.yaml')).toBe(mappingText('a'));
    expect(text(directory, '..data/a.yaml')).toBe(mappingText('a'));
    const taken = folders.folder({ 'a.yaml': mappingText('a') });
    folders.link(taken, 'made.yaml', '/nowhere/at/all');
    expect((await table.update(taken)).code).toBe(1);
    expect(text(taken, 'a.yaml')).toBe(mappingText('a'));
    const broken = folders.folder({ 'a.yaml': mappingText('a'), 'b.yaml': 'a: [' });
    const refused = await table.update(broken);
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining('Nothing was written'),
    ]);
    expect(text(broken, 'a.yaml')).toBe(mappingText('a'));
  });

  it('is the way back for what was taken from Git by hand, as the plan says', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    await table.byHand('a', row('a', { managedBy: 'api', precedence: 8 }));
    const directory = folders.folder({ 'a.yaml': mappingText('a') });
    const refused = await table.plan(directory);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('export --update')]);
    expect(await table.update(directory)).toMatchObject({ code: 0 });
    const file = join(directory, 'a.yaml');
    const brought = readFileSync(file, 'utf8');
    expect(brought).toMatch(/^precedence: 8$/m);
    expect(brought).toMatch(/^managedBy: api$/m);
    writeFileSync(file, brought.replace(/^managedBy: api(?:\n|$)/m, ''));
    expect(await table.apply(directory, { adopt: true })).toMatchObject({ code: 0 });
    expect(await table.documents()).toMatchObject({ a: { managedBy: 'git', precedence: 8 } });
  });

  it('T262: does nothing to the terminal, whatever is in a reason or in the name of a file', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    await table.byHand('a', row('a', { precedence: 8 }), 'INC \u202e');
    const name = 'a\u001b[2J.yaml';
    const { out, err } = await table.update(folders.folder({ [name]: mappingText('a') }));
    expect((out + err).split('\n').filter((line) => /[\p{Cc}\p{Cf}]/u.test(line))).toEqual([]);
  });
});
