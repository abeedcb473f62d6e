import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { parse } from 'yaml';
import { mappingTextMaxLength } from '../../src/dynamodb/role-mapping-item.ts';
import {
  jsonSchemaFile,
  jsonSchemaNames,
  jsonSchemaText,
} from '../../src/mapping-files/json-schemas.ts';
import { maxMappingCharacters, readMappings } from '../../src/mapping-files/read-mappings.ts';
import { testFileSchema } from '../../src/mapping-files/test-file.ts';
import { mappingText, rules } from '../support/mapping-folder.ts';

const compile = (name: (typeof jsonSchemaNames)[number]) =>
  new Ajv2020({ strictSchema: true, strictTypes: false, validateFormats: false }).compile(
    JSON.parse(jsonSchemaText(name)),
  );

describe('JSON Schemas', () => {
  it.each(jsonSchemaNames)('%s in schemas/ is what the command prints', (name) => {
    const file = new URL(`../../schemas/${jsonSchemaFile(name)}`, import.meta.url);
    // If not: node dist/main.js mappings schema <name> > schemas/<name>.v1.json
    expect(readFileSync(file, 'utf8')).toBe(jsonSchemaText(name));
  });

  it('describe every member of a mapping, for editors to show', () => {
    const { properties } = JSON.parse(jsonSchemaText('role-mapping'));
    const members = [properties, properties.conditions.properties, properties.session.properties];
    for (const [name, member] of members.flatMap(Object.entries)) {
      expect([name, member]).toEqual([
        name,
        expect.objectContaining({ description: expect.any(String) }),
      ]);
    }
  });

  it('accept every mapping that the checks accept', () => {
    const validate = compile('role-mapping');
    const lines = fc.subarray([
      'description: text',
      'managedBy: git',
      'managedBy: api',
      'enabled: false',
      'precedence: 0',
      'conditions: { scopes: [a/b], sourceCidrs: [10.0.0.0/8, "2001:db8::/32"] }',
      'session: { durationSeconds: 900, policyArns: ["arn:aws:iam::aws:policy/ReadOnlyAccess"] }',
      'colour: red',
      'enabled: maybe',
      'precedence: -1',
    ]);
    let accepted = 0;
    fc.assert(
      fc.property(lines, (members) => {
        const text = mappingText('a', members.join('\n'));
        const { mappings } = readMappings([{ path: 'a.yaml', text }], rules);
        if (mappings.length === 0) return;
        accepted += 1;
        expect([text, validate(parse(text))]).toEqual([text, true]);
      }),
    );
    expect(accepted).toBeGreaterThan(0);
  });

  it('refuse what an editor should mark: unknown members, values out of range, what is missing', () => {
    const validate = compile('role-mapping');
    for (const text of [
      mappingText('a', 'colour: red'),
      mappingText('a', 'precedence: -1'),
      mappingText('A'),
      mappingText('a').replace('allow', 'perhaps'),
      mappingText('a').replace(/owner.*/, ''),
      mappingText('a').replace('client:', 'klient:'),
    ]) {
      expect([text, validate(parse(text))]).toEqual([text, false]);
    }
  });

  it('of tests agrees with the check of tests', () => {
    const validate = compile('role-mapping-test');
    const one = { name: 'x', caller: { pool: 'p', client: 'c' }, expect: { decision: 'allow' } };
    for (const document of [
      { tests: [one] },
      { now: '2026-01-01T00:00:00Z', tests: [{ ...one, request: { sourceIp: '::1' } }] },
      { tests: [{ ...one, expect: { decision: 'deny', reason: 'scope_missing' } }] },
      { tests: [{ ...one, expect: { decision: 'deny', role: 'x' } }] },
      { tests: [{ ...one, expect: { decision: 'maybe' } }] },
      { tests: [] },
      { tests: [{ ...one, colour: 'red' }] },
    ]) {
      const accepted = testFileSchema.safeParse(document).success;
      expect([document, validate(document)]).toEqual([document, accepted]);
    }
  });
});

describe('the size of a mapping', () => {
  it('is limited to what a row of the table takes', () => {
    expect(maxMappingCharacters).toBe(mappingTextMaxLength);
    const values = Array.from({ length: 50 }, (_, index) => `${'x'.repeat(250)}${index}`);
    const claims = Object.fromEntries(
      ['custom:team', 'sub', 'client_id'].map((one) => [one, values]),
    );
    const many = JSON.stringify({ claims: { ...claims } });
    const names = Array.from({ length: 6 }, (_, index) => `custom:c${index}`);
    const wide = JSON.stringify({
      claims: Object.fromEntries(names.map((name) => [name, values])),
    });
    const files = [
      { path: 'fits.yaml', text: mappingText('a', `conditions: ${many}`) },
      { path: 'wide.yaml', text: mappingText('b', `conditions: ${wide}`) },
    ];
    const matchableClaims = new Set([...names, 'custom:team']);
    const { mappings, faults } = readMappings(files, { ...rules, matchableClaims });
    expect(mappings.map(({ mapping }) => mapping.id)).toEqual(['a']);
    expect(faults).toMatchObject([{ file: 'wide.yaml', detail: expect.stringContaining('65536') }]);
  });
});
