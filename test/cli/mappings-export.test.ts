import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { mappingsValidate } from '../../src/cli/mappings-validate.ts';
import { checkRoleMapping } from '../../src/core/policy/mapping-check.ts';
import type { RoleMapping } from '../../src/core/policy/role-mapping.ts';
import { mappingYaml } from '../../src/mapping-files/mapping-yaml.ts';
import { readMappings } from '../../src/mapping-files/read-mappings.ts';
import { claimRef } from '../support/domain.ts';
import { runs, seenMoreThan } from '../support/fuzz-budget.ts';
import { captured, pool, row, rules } from '../support/mapping-folder.ts';
import { mappingStack } from '../support/mapping-stack.ts';

const stack = mappingStack();
const { folders } = stack;

describe('mappings export', () => {
  it('writes one file for each mapping, without what is the default, and the schema that it names', async () => {
    const table = await stack.newTable();
    await table.put(row('b', { managedBy: 'api', session: { durationSeconds: 1800 } }));
    await table.put(row('a'));
    const directory = folders.path('exported');
    const { code, err } = await table.export(directory);
    expect([code, err]).toEqual([0, `Wrote 2 role mappings to ${directory}\n`]);
    expect(readdirSync(directory).sort()).toEqual(['a.yaml', 'b.yaml', 'schemas']);
    expect(readdirSync(`${directory}/schemas`).sort()).toEqual([
      'role-mapping-test.v1.json',
      'role-mapping.v1.json',
    ]);
    expect(readFileSync(`${directory}/b.yaml`, 'utf8')).toBe(
      `# yaml-language-server: $schema=schemas/role-mapping.v1.json
id: b
principal:
  pool: us-east-1_Local0001
  client: client-b
effect: allow
role: arn:aws:iam::123456789012:role/broker/b
session:
  durationSeconds: 1800
owner: payments
managedBy: api
`,
    );
    expect(readFileSync(`${directory}/a.yaml`, 'utf8')).not.toContain('managedBy');
  });

  it('T379: writes over nothing that a link in the place of a schema leads to', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    const directory = folders.folder({ 'schemas/README': '', 'other.txt': 'mine' });
    folders.link(join(directory, 'schemas'), 'role-mapping.v1.json', '../other.txt');
    const { code, err } = await table.export(directory);
    expect([code, err]).toEqual([1, expect.stringContaining('role-mapping.v1.json is a link')]);
    expect(readFileSync(join(directory, 'other.txt'), 'utf8')).toBe('mine');
  });

  it('writes what validate and plan find nothing to say about', async () => {
    const table = await stack.newTable();
    const tricky = row('tricky', {
      description: '2026-01-01: "yes" # no\n\ttab, \u0007, \u2028, \ud800 and 🎉',
      owner: '012',
      principal: { pool, group: 'null' },
      conditions: {
        claims: {
          'custom:team': ['0x1F', '1e3', '~', 'true', ' padded ', '012345678901', true, -7],
        },
        sourceCidrs: ['10.0.0.0/8'],
        expiresAt: '2031-01-01T00:00:00Z',
      },
      session: {
        policy: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Action: '*',
              Resource: `arn:aws:s3:::a/${claimRef('sub')}/*`,
              Condition: { NumericLessThan: { 's3:max-keys': 10 }, Bool: { 'aws:x': true } },
            },
          ],
        },
      },
    });
    const conditions = { caller: 'machine' } as const;
    const byHand = row('by-hand', { managedBy: 'api', conditions });
    for (const mapping of [tricky, byHand, row('plain', { conditions })]) {
      await table.put(mapping);
    }
    const directory = folders.path('round-trip');
    await table.export(directory);
    const validated = await captured((output) =>
      mappingsValidate({ directory, rules, json: false, output }),
    );
    expect(validated).toMatchObject({ code: 0, err: '' });
    const { code, out, err } = await table.plan(directory, { prune: true });
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('nothing to change; 3 unchanged');
  });

  it('prints one stream in the order of ids where no folder is named, and can be limited to owners', async () => {
    const table = await stack.newTable();
    for (const mapping of [row('b'), row('a', { owner: 'orders' }), row('c')]) {
      await table.put(mapping);
    }
    const ids = (text: string) => [...text.matchAll(/^id: (.*)$/gm)].map((match) => match[1]);
    const all = await table.export();
    expect(ids(all.out)).toEqual(['a', 'b', 'c']);
    expect(ids((await table.export(undefined, ['payments'])).out)).toEqual(['b', 'c']);
    const directory = folders.folder({ 'all.yaml': all.out });
    expect((await table.plan(directory)).code).toBe(0);
  });

  it('never mixes with files that are there already', async () => {
    const table = await stack.newTable();
    await table.put(row('a'));
    const directory = folders.folder({ 'deep/old.yml': 'x', 'README.md': 'read me' });
    const { code, err } = await table.export(directory);
    expect([code, err]).toEqual([1, expect.stringContaining('export into an empty folder')]);
    expect(readdirSync(directory).sort()).toEqual(['README.md', 'deep']);
  });

  it('names the rows that cannot be read, writes the others, and exits with 1', async () => {
    const table = await stack.newTable();
    await table.put(row('sound'));
    await table.put(row('claims', { conditions: { claims: { 'custom:team': ['x'] } } }));
    const config = { ...table.config, identity: { ...table.config.identity, matchableClaims: [] } };
    const { mappingsExport } = await import('../../src/cli/mappings-export.ts');
    const { code, out, err } = await captured((output) =>
      mappingsExport({
        config,
        directory: undefined,
        owners: [],
        output,
        terminal: { colours: false, ask: undefined, showProgress: () => undefined },
      }),
    );
    expect([code, err]).toEqual([1, expect.stringContaining('claims is left out')]);
    expect(out).toContain('id: sound');
  });
});

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('yes', 'null', '1_000', '0o14', '12:30:45', '<<', '- a', 'a: b', '|', '%', '@x'),
);

/** What every member takes: without it hardly any mapping would be sound in all of them. */
const plain = fc.stringMatching(/^[\w/-]{1,40}$/);

/** Whatever the checks let through, in every member that takes free text. */
const mappings = fc
  .record({
    description: text,
    group: text,
    claim: text,
    owner: fc.stringMatching(/^[\w.@/-]{1,20}$/),
    sid: fc.stringMatching(/^[A-Za-z0-9]{0,8}$/),
    resource: fc.oneof(text, plain),
    policyId: fc.oneof(text, plain),
    value: fc.oneof(
      text,
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
    ),
    precedence: fc.integer({ min: 0, max: 1000 }),
    managedBy: fc.constantFrom('git', 'api'),
    enabled: fc.boolean(),
    durationSeconds: fc.constantFrom(900, 3600),
  })
  .map((parts) => ({
    id: 'generated',
    description: parts.description,
    principal: { pool, group: parts.group },
    effect: 'allow',
    role: 'arn:aws:iam::123456789012:role/x',
    conditions: { claims: { 'custom:team': [parts.claim] } },
    session: {
      durationSeconds: parts.durationSeconds,
      policy: {
        Version: '2012-10-17',
        Id: parts.policyId,
        Statement: {
          Sid: parts.sid,
          Effect: 'Deny',
          Action: 's3:*',
          Resource: `arn:aws:s3:::${parts.resource}`,
          Condition: { StringLike: { 's3:prefix': parts.value } },
        },
      },
    },
    precedence: parts.precedence,
    owner: parts.owner,
    managedBy: parts.managedBy,
    enabled: parts.enabled,
  }));

describe('a mapping as YAML', () => {
  it('reads back as the same mapping, whatever is in it', () => {
    let sound = 0;
    fc.assert(
      fc.property(mappings, (document) => {
        const check = checkRoleMapping(document, rules);
        if (check.kind === 'invalid') return;
        sound += 1;
        const bytes = Buffer.from(mappingYaml(check.mapping), 'utf8').toString('utf8');
        const read = readMappings([{ path: 'x.yaml', text: bytes }], rules);
        expect(read.faults).toEqual([]);
        const [file] = read.mappings;
        expect(asJson(file?.mapping)).toEqual(asJson(check.mapping));
      }),
      runs(2000),
    );
    expect(sound).toBeGreaterThan(seenMoreThan(100));
  });
});

function asJson(mapping: RoleMapping | undefined): unknown {
  return JSON.parse(JSON.stringify(mapping));
}
