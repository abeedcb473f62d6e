// biome-ignore-all lint/suspicious/noTemplateCurlyInString: claim references of session policies

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { stringify } from 'yaml';
import type { JsonPointer } from '../../../src/kit/json/json-pointer.ts';
import { readPlainYaml } from '../../../src/kit/yaml/plain-yaml.ts';
import { parseAnyYaml, parseYaml } from '../../../src/kit/yaml/yaml-documents.ts';
import { runs, seenMoreThan } from '../../support/fuzz-budget.ts';

const file = 'f.yaml';

/** What is read, and where each part of it stands. */
function reading(text: string, read: typeof parseYaml) {
  const { documents, faults } = read({ path: file, text });
  const contents = documents.map(({ value, positionOf }) => ({
    value,
    // JSON tells -0 and a member that is undefined from nothing else.
    text: JSON.stringify(value),
    places: pointersOf(value).map((pointer) => [pointer, positionOf(pointer)]),
  }));
  return { contents, faults };
}

function pointersOf(value: unknown, at: JsonPointer = ''): JsonPointer[] {
  if (typeof value !== 'object' || value === null) return [at, `${at}/absent`];
  const inner = Object.entries(value).flatMap(([name, item]) =>
    pointersOf(item, `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
  );
  return [at, `${at}/absent`, `${at}/length`, ...inner];
}

const isPlain = (text: string) => readPlainYaml(text) !== undefined;

function expectAgreement(text: string): void {
  // What the plain reader does not take is the library's in both.
  if (isPlain(text))
    expect([text, reading(text, parseYaml)]).toEqual([text, reading(text, parseAnyYaml)]);
}

const mapping = `id: orders-writer
description: "the orders service: writes its \\"own\\" table"
principal:
  pool: us-east-1_AbCdEf123
  client: 4abc0exampleclientid
effect: allow
role: arn:aws:iam::123456789012:role/broker/orders-writer
# who may
conditions:
  caller: machine
  scopes: [orders/write]

  claims: { custom:team: [orders, 'pay''ments'] }
  notBefore: 2026-01-01T00:00:00Z
session:
  durationSeconds: 3600
  policy:
    Version: "2012-10-17"
    Statement:
      - Effect: Allow
        Action:
        - s3:GetObject
        - "s3:List*"
        Resource: arn:aws:s3:::invoices/\${claim:sub}/*
        Condition: {"StringLike":{"s3:prefix":["a/\${claim:sub}"]},"Null":{"aws:x":"true"}}
  policyArns: []
owner: payments-platform
enabled: false
`;

describe('Plain YAML', () => {
  it.each([
    ['a mapping as people write it', mapping],
    ['several in one file', `---\n${mapping}---\n${mapping}`],
    [
      'JSON on one line',
      '{"id":"a","principal":{"pool":"p","client":"c"},"n":3600,"list":[1,[],{}]}',
    ],
    [
      'JSON on several',
      JSON.stringify({ id: 'a', list: [1, { b: [true, 'x "y" \\ z'] }] }, null, 2),
    ],
    [
      'a configuration with addresses and seconds',
      'host: 0.0.0.0\nproxies: [10.0.0.1, 10.0.0.0/8]\npollSeconds: 0.1\nrates: [1.5, 0.000001, 999999.999999]\ntls: { host: 127.0.0.1 }',
    ],
  ])('is read without the library, and as the library reads it: %s', (_, text) => {
    expect(isPlain(text)).toBe(true);
    expectAgreement(text);
  });

  it.each([
    ...[
      '',
      '\n',
      '# c',
      '---',
      'a: 1\n---\n',
      '---\n---\na: 1',
      '...',
      'a: 1\n...\n',
      '%YAML 1.1\n---\na: 1',
    ],
    ...[
      'a',
      '- a',
      '"a"',
      'a:',
      'a: ~',
      'a: null',
      'a: True',
      'a: 012',
      ...['a: 1.0', 'a: 1.50', 'a: 01.5', 'a: 1.', 'a: .5', 'a: 0.0000001', 'a: 1.2e3', 'a: [1.0]'],
      'a: -1',
      'a: 0x1f',
      'a: .inf',
    ],
    ...[
      'a: 1e3',
      'a: 2026-01-01',
      'a: 9007199254740993',
      'a: 1 # c',
      'a: &x 1',
      'a: *x',
      'a: !t 1',
      'a: |\n  x',
      'a: >\n  x',
    ],
    ...[
      'a: b\n  c',
      'a: b: c',
      'a: "b\n  c"',
      "a: 'b\n  c'",
      'a: 1\na: 2',
      '"a": 1\na: 2',
      '{a: 1, a: 2}',
      '{"a":1,"a":2}',
    ],
    ...[
      '<<: {a: 1}',
      '__proto__: {a: 1}',
      '"__proto__": 1',
      '{"__proto__":1}',
      '? a\n: b',
      '{a: 1,}',
      '[1]',
      '{a}',
      '[a: 1]',
    ],
    ...[
      'a: [b\n]',
      'a: "\\u0041"',
      'a: "\\x41"',
      'a: é',
      'a: 1\n"7": 2\n',
      '{"b":1,"07":2}',
      'a:\tb',
      'a: 1\r\nb: 2',
      '\ufeffa: 1',
      ' a: 1',
      'a:\n b: 1\n  c: 2',
    ],
    ...[
      'a:\n  b: 1\n c: 2',
      'a:\n  - b\n c: 2',
      '- a\nb: 1',
      'a: 1\n- b',
      'a: - b',
      '- - a',
      'a:\n- - b',
      'a: {b: 1} c',
      'a: "b" c',
    ],
    ...[
      'a: [b',
      'a: {b: 1',
      '{"a":1',
      '{"a":1} 2',
      '{"a":1}\nb: 2',
      '{"a"\n:1}',
      '{"a":1 "b":2}',
      '{a:1}',
      `${'{"a":'.repeat(17)}1${'}'.repeat(17)}`,
    ],
  ])('leaves to the library what it does not know: %j', (text) => {
    expect(isPlain(text)).toBe(false);
    expect(reading(text, parseYaml)).toEqual(reading(text, parseAnyYaml));
  });

  const word = fc.constantFrom(
    ...[
      'id',
      'a',
      'Null',
      'true',
      'aws:x',
      'custom:team',
      '0',
      '12',
      '012',
      ...['1.5', '0.1', '1.50', '00.1', '1.', '0.0.0.0', '1.2.3', '123456789.123456789'],
      '-1',
      '1e3',
      '0x1f',
      '~',
      'null',
      'no',
    ],
    ...[
      '',
      ' ',
      'a b',
      'a: b',
      'a:',
      ':a',
      'a #b',
      'a#b',
      '#',
      '-',
      '- a',
      '?',
      '---',
      '...',
      '2026-01-01',
      '12:30',
      '.inf',
    ],
    ...[
      "it's",
      '"q"',
      '\\',
      '${claim:sub}',
      'x/${claim:sub}/*',
      '*',
      '&a',
      '!a',
      '|',
      '>',
      '%a',
      '@a',
      '`a`',
      '[a]',
      '{a}',
      ',',
    ],
    ...[
      'a, b',
      'a,b',
      'a]',
      'é',
      '\u2028',
      '\t',
      'a\nb',
      '__proto',
      'constructor',
      'toString',
      '<<',
      '=',
      'a=b',
      '10.0.0.0/8',
    ],
  );
  const scalar = fc.oneof(
    { arbitrary: word, weight: 4 },
    { arbitrary: fc.constantFrom(true, false, 0, 3600, 123456789012), weight: 2 },
    { arbitrary: fc.string({ maxLength: 8 }), weight: 1 },
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ depthSize: 'small' }, scalar, tie('list'), tie('map')),
    list: fc.array(tie('tree'), { maxLength: 3 }),
    map: fc.dictionary(word, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
  }));
  const document = fc.dictionary(word, tree, { minKeys: 1, maxKeys: 4, noNullPrototype: true });
  const written = fc
    .tuple(fc.array(document, { minLength: 1, maxLength: 2 }), fc.nat(4))
    .map(([documents, form]) => documents.map((one) => printed(one, form)).join('---\n'));
  const piece = fc.constantFrom(
    ...[
      'a',
      '1',
      ':',
      ': ',
      '- ',
      '-',
      '[',
      ']',
      '{',
      '}',
      ',',
      '\n',
      '\n  ',
      ' ',
      '"',
      "'",
      '\\',
      '#',
      ' #',
      '&x ',
      '*',
      '!t ',
    ],
    ...['|', '>', '%', '---\n', '...', '? ', '<<', '\t', '~', '.', '$', '/', 'true', 'null', '0'],
  );

  it('T291: and the library agree on values and places, whatever is written', () => {
    let plain = 0;
    fc.assert(
      fc.property(written, (text) => {
        if (isPlain(text)) plain += 1;
        expectAgreement(text);
      }),
      runs(9000),
    );
    expect(plain).toBeGreaterThan(seenMoreThan(1000));
  });

  it('T291: and the library agree on what is nearly plain: a few characters changed anywhere', () => {
    const text = fc.oneof(written, fc.constant(mapping));
    const edit = fc.tuple(fc.nat(), fc.nat(3), piece);
    let changedAndPlain = 0;
    fc.assert(
      fc.property(text, fc.array(edit, { minLength: 1, maxLength: 3 }), (original, edits) => {
        const changed = edits.reduce((text, [place, length, piece]) => {
          const at = place % (text.length + 1);
          return text.slice(0, at) + piece + text.slice(at + length);
        }, original);
        if (isPlain(changed)) changedAndPlain += 1;
        expectAgreement(changed);
      }),
      runs(12_000),
    );
    expect(changedAndPlain).toBeGreaterThan(seenMoreThan(1000));
  });

  it('have the place of each of many members at hand: the text is read once for all of them', () => {
    const names = Array.from({ length: 15_000 }, (_, index) => `k${index}`);
    const text = names.map((name) => `${name}: 1\n`).join('');
    expect(isPlain(text)).toBe(true);
    const [document] = parseYaml({ path: file, text }).documents;
    const placed = names.map((name) => document?.positionOf(`/${name}`).line);
    expect(placed).toEqual(names.map((_, index) => index + 1));
  });

  it('leave what is longer than regular expressions have room for to the library', () => {
    expect(isPlain(`a: "${'x'.repeat(9_000_000)}"\n`)).toBe(false);
  });

  it('and the library agree on short texts of what has a meaning in YAML', () => {
    const text = fc.array(piece, { maxLength: 12 }).map((pieces) => `a: ${pieces.join('')}`);
    let plain = 0;
    fc.assert(
      fc.property(text, (source) => {
        if (isPlain(source)) plain += 1;
        expectAgreement(source);
      }),
      runs(12_000),
    );
    expect(plain).toBeGreaterThan(seenMoreThan(300));
  });
});

/** In the forms that are met: blocks, lists not indented, flow, JSON on one line and on several. */
function printed(document: unknown, form: number): string {
  const options = {
    version: '1.2',
    compat: 'yaml-1.1',
    lineWidth: 0,
    aliasDuplicateObjects: false,
  } as const;
  switch (form) {
    case 0:
      return stringify(document, options);
    case 1:
      return stringify(document, { ...options, indentSeq: false });
    case 2:
      return stringify(document, { ...options, collectionStyle: 'flow' });
    case 3:
      return `${JSON.stringify(document)}\n`;
    default:
      return `${JSON.stringify(document, null, 2)}\n`;
  }
}
