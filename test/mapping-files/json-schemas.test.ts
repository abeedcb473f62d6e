import { describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { parse } from 'yaml';
import { mappingTextMaxLength } from '../../src/dynamodb/role-mapping-item.ts';
import { type jsonSchemaNames, jsonSchemaText } from '../../src/mapping-files/json-schemas.ts';
import { maxMappingCharacters, readMappings } from '../../src/mapping-files/read-mappings.ts';
import { testFileSchema } from '../../src/mapping-files/test-file.ts';
import { claimRef } from '../support/domain.ts';
import { mappingText, rules } from '../support/mapping-folder.ts';

const compile = (name: (typeof jsonSchemaNames)[number]) =>
  new Ajv2020({
    strictSchema: true,
    strictTypes: false,
    validateFormats: false,
    // Of the language servers of editors.
    keywords: ['patternErrorMessage'],
  }).compile(JSON.parse(jsonSchemaText(name)));

const arn = 'arn:aws:s3:::invoices/*';
const policy = (statement: string) => `{ Version: "2012-10-17", Statement: ${statement} }`;
const policies = [
  policy(`{ Effect: Allow, Action: "*", Resource: "*" }`),
  policy(`[{ Sid: a, Effect: Deny, NotAction: [s3:Get*], NotResource: ["${arn}"] }]`),
  policy(
    `[{ Effect: Allow, Action: s3:GetObject, Resource: "${arn}", Condition: { "ForAnyValue:StringLike": { "s3:prefix": ["a/*"] }, Bool: { "aws:SecureTransport": true } } }]`,
  ),
  policy(
    `[{ Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:::${claimRef('sub')}/*" }]`,
  ),
];

describe('JSON Schemas', () => {
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
      ...policies.map((policy) => `session: { policy: ${policy} }`),
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
      ...[
        policy(`{ Effect: Allow, Action: s3GetObject, Resource: "*" }`),
        policy(`{ Effect: Allow, Action: s3:GetObject, Resource: invoices }`),
        policy(`{ Effect: Perhaps, Action: s3:GetObject, Resource: "*" }`),
        policy(`{ Effect: Allow, Actions: s3:GetObject, Resource: "*" }`),
        policy(`[]`),
        `{ Version: 2012-10-17, Statements: [] }`,
      ].map((wrong) => mappingText('a', `session: { policy: ${wrong} }`)),
    ]) {
      expect([text, validate(parse(text))]).toEqual([text, false]);
    }
  });

  it('complete a session policy, and explain a wrong ARN in words', () => {
    const { properties } = JSON.parse(jsonSchemaText('role-mapping'));
    const [statement] = properties.session.properties.policy.properties.Statement.anyOf;
    expect(Object.keys(statement.properties)).toEqual(
      expect.arrayContaining(['Effect', 'Action', 'Resource', 'Condition']),
    );
    expect(Object.keys(statement.properties.Condition.properties)).toContain('StringEquals');
    const words = [
      properties.role.anyOf[0].patternErrorMessage,
      properties.session.properties.policyArns.items.patternErrorMessage,
      statement.properties.Resource.anyOf[0].patternErrorMessage,
    ];
    for (const said of words) expect(said).toContain('arn:aws:');
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
