import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mappingsValidate } from '../../src/cli/mappings-validate.ts';
import { runs, seenMoreThan } from '../support/fuzz-budget.ts';
import {
  captured,
  type MappingStack,
  mappingText,
  rules,
  startMappingStack,
  temporaryFolders,
} from '../support/mapping-folder.ts';

const folders = temporaryFolders();
afterAll(() => folders.remove());

const validate = (directory: string, json = false) =>
  captured((output) => mappingsValidate({ directory, rules, json, output }));

const passing = `tests:
  - name: it works
    caller: { pool: us-east-1_Local0001, client: client-a }
    expect: { decision: allow }
`;
const machines = 'conditions: { caller: machine }';

describe('mappings validate', () => {
  it('accepts sound files in folders, several mappings in one file, and tests beside them', async () => {
    const directory = folders.folder({
      'a.yaml': `${mappingText('a', machines)}\n---\n${mappingText('b', machines)}`,
      'team/c.yml': mappingText('c', machines),
      'team/c.test.yaml': passing,
      'notes.md': 'not: [yaml',
      'schemas/role-mapping.v1.json': '{}',
      '.hidden.yaml': 'colour: red',
    });
    expect(await validate(directory)).toEqual({
      code: 0,
      out: 'valid: 3 role mappings, 1 tests, 0 warnings\n',
      err: '',
    });
  });

  it('takes one file, and looks at no other', async () => {
    const directory = folders.folder({ 'a.yaml': mappingText('a', machines), 'b.yaml': 'a: [' });
    const { code, out } = await validate(`${directory}/a.yaml`);
    expect([code, out]).toEqual([0, 'valid: 1 role mappings, 0 tests, 0 warnings\n']);
    expect(await validate(`${directory}/b.yaml`)).toMatchObject({ code: 1 });
  });

  it('holds files to the guardrails of the configuration', async () => {
    const directory = folders.folder({
      'a.yaml': mappingText('a').replace(
        'role/broker/a',
        'role/broker/OrganizationAccountAccessRole',
      ),
    });
    const { code, err } = await validate(directory);
    expect([code, err]).toEqual([1, expect.stringContaining('guardrails.forbiddenRoleNames')]);
  });

  it('names every fault of every file at once, in reading order', async () => {
    const directory = folders.folder({
      'a.yaml': mappingText('a', 'session:\n  durationSeconds: 60\n  colour: red')
        .replace('us-east-1_Local0001', 'no/where')
        .replace('role/broker/a', 'role/*'),
      'b.yaml': 'id: [',
      'c.test.yaml': 'tests:\n  - name: x\n    expect: { decision: maybe }\n',
    });
    const { code, out, err } = await validate(directory);
    expect([code, out]).toEqual([1, expect.stringMatching(/^INVALID: \d+ faults?\n$/)]);
    const lines = err.trim().split('\n');
    expect(lines.map((line) => line.replace(`${directory}/`, '').split(': ')[0])).toEqual([
      'a.yaml:2:14',
      'a.yaml:4:1',
      'a.yaml:7:3',
      'a.yaml:8:3',
      'b.yaml:1:6',
      'c.test.yaml:2:5',
      'c.test.yaml:3:15',
    ]);
    expect(lines[2]).toContain('/session/durationSeconds: ');
    expect(lines[3]).toContain('/session/colour: is not a member of a role mapping');
  });

  it('says the same as JSON', async () => {
    const directory = folders.folder({ 'a.yaml': mappingText('a', 'enabled: perhaps') });
    const { code, out } = await validate(directory, true);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      valid: false,
      faults: [{ file: `${directory}/a.yaml`, line: 6, col: 1, pointer: '/enabled' }],
    });
  });

  it('refuses one id in two files, and names both', async () => {
    const text = mappingText('a', machines);
    const directory = folders.folder({ 'a.yaml': text, 'b.yaml': text });
    const { code, err } = await validate(directory);
    expect([code, err]).toEqual([
      1,
      `${directory}/b.yaml:1:1: /id: is the id of another mapping: ${directory}/a.yaml:1\n`,
    ]);
  });

  it('refuses a claim that the configuration does not let mappings use', async () => {
    const claims = (name: string) => mappingText('a', `conditions: { claims: { ${name}: [x] } }`);
    const known = folders.folder({ 'a.yaml': claims('custom:team') });
    const unknown = folders.folder({ 'a.yaml': claims('custom:other') });
    expect((await validate(known)).code).toBe(0);
    expect(await validate(unknown)).toMatchObject({
      code: 1,
      err: expect.stringContaining('a.yaml:6:25: /conditions/claims/custom:other: '),
    });
  });

  it('warns of what is legal but perhaps not meant, and exits with 0', async () => {
    const directory = folders.folder({
      'a.yaml': mappingText('a', 'session: { durationSeconds: 900 }'),
      'b.yaml': mappingText('b', 'enabled: false'),
    });
    const { code, err } = await validate(directory);
    expect(code).toBe(0);
    expect(err).toContain('a.yaml:6:12: warning: /session/durationSeconds: is below 1800');
    expect(err).toContain('b.yaml:6:1: warning: /enabled: the mapping is disabled');
    expect(err).toContain(
      'b.yaml:2:41: warning: /principal/client: grants the role to everybody who signs in',
    );
  });

  it('takes a folder without mappings, or none at all, for a mistake', async () => {
    for (const directory of [folders.folder(), folders.path('nowhere')]) {
      expect((await validate(directory)).code).toBe(1);
    }
  });

  it('leaves no file out without a word: links to folders, pipes and unreadable bytes are faults', async () => {
    const elsewhere = folders.folder({ 'b.yaml': mappingText('b') });
    const directory = folders.folder({
      'a.yaml': mappingText('a', machines),
      'latin1.yaml': Buffer.from(`description: M\xfcll\n`, 'latin1'),
      'bom.yaml': `\ufeff${mappingText('bom')}`,
      'large.yaml': `# ${'x'.repeat(300_000)}`,
    });
    folders.link(directory, 'linked', elsewhere);
    folders.link(directory, 'dangling.yaml', '/nowhere/x.yaml');
    execFileSync('mkfifo', [join(directory, 'pipe.yaml')]);
    const { code, err } = await validate(directory);
    expect(code).toBe(1);
    const faults = err.trim().replaceAll(`${directory}/`, '').split('\n');
    expect(faults).toEqual([
      'bom.yaml:1:1: starts with a byte order mark: save it as UTF-8 without one',
      'dangling.yaml:1:1: cannot be read (ENOENT)',
      'large.yaml:1:1: is larger than 262144 bytes',
      'latin1.yaml:1:1: is not valid UTF-8',
      'linked:1:1: links to folders are not followed',
      'pipe.yaml:1:1: is not a regular file',
    ]);
  });

  it('follows links to files, as Kubernetes mounts them', async () => {
    const directory = folders.folder({ '..2026_01_15/a.yaml': mappingText('a') });
    folders.link(directory, '..data', '..2026_01_15');
    folders.link(directory, 'a.yaml', join('..data', 'a.yaml'));
    expect((await validate(directory)).code).toBe(0);
    // Whoever runs the command names the folder, by a link or not.
    const volume = folders.folder();
    folders.link(volume, 'mappings', directory);
    expect((await validate(join(volume, 'mappings'))).code).toBe(0);
  });

  it.each<[string, (root: string) => string]>([
    ['outside of the folder', (root) => join(root, 'team-b', 'secret.yaml')],
    ['outside of it, by way of the one above', () => '../team-b/secret.yaml'],
    ['in a folder whose name begins with a dot', () => '.git/config'],
  ])('T320: quotes nothing of a file %s', async (_what, target) => {
    const secret = '"AKIA0SECRET": extraheader';
    const root = folders.folder({ 'team-b/secret.yaml': secret, 'team-a/.git/config': secret });
    const directory = join(root, 'team-a');
    folders.link(directory, 'linked.yaml', target(root));
    for (const json of [false, true]) {
      const { code, out, err } = await validate(directory, json);
      expect(code).toBe(1);
      expect(out + err).toContain('links to what is no file of this folder');
      expect(out + err).not.toContain('AKIA0SECRET');
    }
  });

  it.each<[string, string]>([
    ['a file of Git', '.git/config'],
    ['a file elsewhere', '../home/credentials'],
    ['a folder elsewhere in which somebody is signed in', '../home/.config/gh'],
  ])('T377: a link in the place of the folder leads not to %s', async (_what, target) => {
    const secret = 'ghs_secret: basic\n\ttoken_secret: "AKIA0SECRET"';
    const root = folders.folder({
      'repo/.git/config': secret,
      'home/credentials': secret,
      'home/.config/gh/hosts.yml': secret,
    });
    folders.link(join(root, 'repo'), 'mappings', target);
    for (const name of ['mappings', 'mappings/', 'mappings/.']) {
      const { code, out, err } = await validate(`${join(root, 'repo')}/${name}`, true);
      expect([code, out + err]).toEqual([1, expect.stringContaining('is not followed')]);
      expect(out + err).not.toMatch(/secret/i);
    }
  });

  it('T377: quotes nothing of a file that is no YAML', async () => {
    const texts = [
      '[core]\n\textraheader = AUTHORIZATION: basic c2VjcmV0',
      'a: | c2VjcmV0',
      'a: "\\c2VjcmV0"',
    ];
    for (const text of texts) {
      const { code, err } = await validate(folders.folder({ 'a.yaml': text }));
      expect(code).toBe(1);
      expect(err).not.toContain('c2VjcmV0');
    }
  });

  it('never sends to the terminal what could act on it', async () => {
    const directory = folders.folder({
      '\u001b[2Jname.yaml': '"\\e[31mred\\u202e": 1\n',
      'x.yaml': '\u009b31m: [',
    });
    const { code, err } = await validate(directory);
    expect(code).toBe(1);
    expect(err).toMatch(/^[\x20-\x7e\n]*$/);
    expect(err).toContain('\\u{1b}[2Jname.yaml');
  });
});

describe('any YAML whatsoever', () => {
  let stack: MappingStack;
  beforeAll(async () => {
    stack = await startMappingStack();
  });
  afterAll(() => stack.stop());

  const scalar = fc.constantFrom(
    ...['a', 'x*', 'null', '~', '7', '-1', '1e9', 'true', '""', '[]', '{}', '{a: {b: [c]}}'],
    ...['&x y', '*x', '!t z', '"\\ud800"', "'", '"', '[', '{', '|', '\u0000', '🎉', '<<: x'],
    ...['arn:aws:iam::123456789012:role/x', 'allow', 'deny', 'us-east-1_Local0001', '{any: true}'],
  );
  const name = fc.constantFrom(
    ...['id', 'principal', 'effect', 'role', 'conditions', 'session', 'owner', 'managedBy'],
    ...['precedence', 'enabled', 'description', '__proto__', '<<', 'constructor', '', '? x'],
  );
  const lines = fc
    .array(fc.tuple(name, scalar), { maxLength: 12 })
    .map((members) => members.map(([key, value]) => `${key}: ${value}\n`).join(''));
  const mutated = fc
    .tuple(fc.nat(200), fc.nat(6), fc.string({ unit: 'binary', maxLength: 6 }))
    .map(([at, length, piece]) => {
      const text = mappingText('a', 'conditions: { scopes: [a/b] }\nsession: { name: "{sub}" }\n');
      return text.slice(0, at) + piece + text.slice(at + length);
    });

  it('is accepted whole or gets a message with file and line, exit 1, and an unchanged table', async () => {
    const table = await stack.newTable();
    const directory = folders.folder();
    const { writeFileSync } = await import('node:fs');
    const content = fc.oneof(lines, mutated, fc.string({ unit: 'binary', maxLength: 200 }));
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(content, async (text) => {
        writeFileSync(join(directory, 'any.yaml'), text);
        const { code, err } = await validate(directory);
        if (code === 0) return;
        refused += 1;
        expect([code, err]).toEqual([
          1,
          expect.stringMatching(/^[^\n]*any\.yaml:\d+:\d+: [^\n]+\n/),
        ]);
        expect((await table.apply(directory, { prune: true, adopt: true })).code).toBe(1);
        expect((await table.plan(directory)).code).toBe(1);
      }),
      runs(400),
    );
    expect(refused).toBeGreaterThan(seenMoreThan(200));
    expect(await table.table.head()).toBe(0);
  });
});
