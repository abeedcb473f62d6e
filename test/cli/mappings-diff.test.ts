import { afterAll, describe, expect, it } from '@jest/globals';
import { addAdminCommand } from '../../src/cli/admin/admin-command.ts';
import { diffMapping } from '../../src/cli/admin/mappings/diff.ts';
import type { AddCommand } from '../../src/cli/edge.ts';
import { runCommandLine } from '../support/command-line.ts';
import { mappingText, temporaryFolders } from '../support/mapping-folder.ts';

const folders = temporaryFolders();
afterAll(() => folders.remove());

const add: AddCommand = (program, edge) => addAdminCommand(program, diffMapping, edge);
const diff = (...args: readonly string[]) => runCommandLine(add, ['diff', ...args]);

const policyOf = (action: string) =>
  `session: { policy: { Version: "2012-10-17", Statement: [{ Sid: a, Effect: Allow, Action: [s3:ListBucket, ${action}], Resource: "*" }] } }`;
const before = {
  'a.yaml': mappingText('a', policyOf('s3:GetObject')),
  'team/b.yaml': mappingText('b'),
  'same.yaml': mappingText('same', 'managedBy: api'),
};
const after = {
  'all.yaml': [
    mappingText('a', policyOf('s3:PutObject')),
    mappingText('c').replace('payments', 'orders'),
    mappingText('same', 'managedBy: api'),
  ].join('\n---\n'),
};

describe('mappings diff between two folders', () => {
  const [from, to] = [folders.folder(before), folders.folder(after)];

  it('asks no broker, and says leaf by leaf what changes and who gains and loses, as a plan does', async () => {
    const { code, out, err } = await diff(from, to);
    expect([code, err]).toEqual([2, '']);
    expect(out.replaceAll(from, 'A').replaceAll(to, 'B')).toBe(`A -> B

  ~ a (B/all.yaml:1)
      - session.policy.Statement.0.Action.1: "s3:GetObject"
      + session.policy.Statement.0.Action.1: "s3:PutObject"

  - b (A/team/b.yaml:1)
      - id: "b"
      - description: ""
      - principal: {"pool":"us-east-1_Local0001","client":"client-b"}
      - effect: "allow"
      - role: "arn:aws:iam::123456789012:role/broker/b"
      - conditions: {}
      - session: {"durationSeconds":3600,"maxDurationSeconds":3600,"name":"{sub}","policyArns":[]}
      - precedence: 100
      - owner: "payments"
      - managedBy: "git"
      - enabled: true

  + c (B/all.yaml:8)
      + id: "c"
      + description: ""
      + principal: {"pool":"us-east-1_Local0001","client":"client-c"}
      + effect: "allow"
      + role: "arn:aws:iam::123456789012:role/broker/c"
      + conditions: {}
      + session: {"durationSeconds":3600,"maxDurationSeconds":3600,"name":"{sub}","policyArns":[]}
      + precedence: 100
      + owner: "orders"
      + managedBy: "git"
      + enabled: true

Difference: 1 to create, 1 to replace, 1 to delete; 1 unchanged.

  + client client-c of us-east-1_Local0001 gains arn:aws:iam::123456789012:role/broker/c
  - client client-b of us-east-1_Local0001 loses arn:aws:iam::123456789012:role/broker/b
  ~ client client-a of us-east-1_Local0001 has on other terms arn:aws:iam::123456789012:role/broker/a
By owner:
  payments: 0 to create, 1 to replace, 1 to delete
  orders: 1 to create, 0 to replace, 0 to delete
`);
  });

  it('says nothing is different with 0, of folders that are cut up otherwise', async () => {
    const whole = folders.folder({ 'all.yml': Object.values(before).join('\n---\n') });
    expect(await diff(from, whole)).toMatchObject({
      code: 0,
      out: expect.stringContaining('Difference: nothing to change; 3 unchanged.'),
    });
    expect((await diff(`${from}/a.yaml`, `${from}/a.yaml`)).code).toBe(0);
  });

  it('is a document for programs, and Markdown for a pull request', async () => {
    const { code, out } = await diff(from, to, '-o', 'json');
    const { changes, access, unchanged } = JSON.parse(out);
    expect([code, unchanged]).toEqual([2, 1]);
    expect(changes.map(({ action, id }: { action: string; id: string }) => [action, id])).toEqual([
      ['replace', 'a'],
      ['delete', 'b'],
      ['create', 'c'],
    ]);
    expect(access).toMatchObject([{ kind: 'gains' }, { kind: 'loses' }, { kind: 'terms' }]);
    const { out: markdown } = await diff(from, to, '--markdown');
    expect(markdown).toMatch(/^### .*\n\n```diff\n\+ client client-c .* gains /);
  });

  it.each<[string, readonly string[]]>([
    ['a folder that is not there', [from, '/nowhere']],
    ['a file with a fault', [from, folders.folder({ 'a.yaml': 'a: [' })]],
    ['an empty folder', [folders.folder(), to]],
    ['an unknown option', [from, to, '--colour']],
    ['one folder alone', [from]],
    ['three of them', [from, to, from]],
  ])('never says 2 of %s', async (_what, args) => {
    const { code, err } = await diff(...args);
    expect(code).toBe(1);
    expect(err).not.toBe('');
    expect(err).not.toContain('Difference:');
  });
});

describe('files that somebody else wrote', () => {
  const acting = '\u001b]0;owned\u0007\u202e';
  const hostile = (name: string, text: string) => folders.folder({ [name]: text });

  it.each<[string, string]>([
    ['an alias', `${mappingText('a')}\nsession: &a {}\nconditions: *a`],
    ['aliases of aliases', 'a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]'],
    ['a tag', `${mappingText('a')}\ndescription: !!js/function x`],
    ['what is nested without end', '['.repeat(100_000)],
    ['more than a file may have', `# ${'x'.repeat(300 * 1024)}\n${mappingText('a')}`],
    ['a prototype', `${mappingText('a')}\n__proto__: { enabled: false }`],
  ])('T262: are refused for %s', async (_what, text) => {
    const { code, out } = await diff(
      folders.folder({ 'a.yaml': mappingText('a') }),
      hostile('a.yaml', text),
    );
    expect([code, out]).toEqual([1, '']);
  });

  it('T262: do nothing to the terminal', async () => {
    const from = folders.folder({ 'a.yaml': mappingText('a') });
    const to = hostile(
      `${acting}.yaml`,
      mappingText('a', `description: ${JSON.stringify(acting)}`),
    );
    const broken = hostile(`${acting}.yaml`, `${mappingText('a')}\n${JSON.stringify(acting)}: 1`);
    for (const { out, err } of [
      await diff(from, to),
      await diff(from, to, '--markdown'),
      await diff(from, to, '-o', 'json'),
      await diff(from, broken),
    ]) {
      expect((out + err).split('\n').filter((line) => /[\p{Cc}\p{Cf}]/u.test(line))).toEqual([]);
    }
  });

  it('T262: behind a link to a folder are not read', async () => {
    const outside = folders.folder({ 'a.yaml': mappingText('a') });
    const to = folders.folder({ 'b.yaml': mappingText('b') });
    folders.link(to, 'team', outside);
    expect(await diff(outside, to)).toMatchObject({ code: 1, out: '' });
  });
});
