import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { writtenPages } from '../../scripts/docs/pages.ts';
import { writtenSchemas } from '../../scripts/docs/schemas.ts';
import { withMeanings, withTables } from '../../scripts/docs/table.ts';
import { readDocument } from '../support/markdown.ts';

describe('npm run docs', () => {
  it.each(Object.entries(writtenPages))(
    'has been run since docs/%s or its code changed',
    (name, write) => {
      const page = readDocument(name);
      expect(write(page)).toBe(page);
    },
  );

  const schemas = new URL('../../schemas/', import.meta.url);

  it.each(Object.entries(writtenSchemas))(
    'has been run since schemas/%s or its code changed',
    (name, write) => {
      expect(readFileSync(new URL(name, schemas), 'utf8')).toBe(write());
    },
  );

  it('writes every schema there is', () => {
    expect(new Set(readdirSync(schemas))).toEqual(new Set(Object.keys(writtenSchemas)));
  });

  it.each(Object.entries(writtenPages))('has a meaning in every row of docs/%s', (name) => {
    expect(
      readDocument(name)
        .split('\n')
        .filter((line) => line.endsWith('|  |')),
    ).toEqual([]);
  });

  it.each(Object.entries(writtenPages))(
    'mends docs/%s, and leaves the prose alone',
    (name, write) => {
      const page = readDocument(name);
      const rows = page.split('\n').filter((line) => /^\| `.*` \| /.test(line));
      const prose = (text: string) => text.split('\n').filter((line) => !line.startsWith('|'));
      for (const row of rows.slice(0, 40)) {
        const written = write(page.replace(`${row}\n`, ''));
        expect(prose(written)).toEqual(prose(page));
      }
    },
  );
});

describe('a written table', () => {
  const page = [
    '# A',
    '',
    '| name | meaning |',
    '|---|---|',
    '| `b` | second |',
    '| `x` | gone |',
    '',
    'Prose.',
  ];

  it('keeps the meanings of names that stay, in the order of the code, and drops the others', () => {
    expect(withMeanings(page.join('\n'), '| name | meaning |', ['a', 'b']).split('\n')).toEqual([
      ...page.slice(0, 4),
      '| `a` |  |',
      '| `b` | second |',
      '',
      'Prose.',
    ]);
  });

  it('fails where a table is missing or too many', () => {
    expect(() => withTables(page.join('\n'), '| other |', () => [])).toThrow('| other |');
    expect(() => withMeanings(page.join('\n'), '| name | meaning |', [], [])).toThrow('1 tables');
  });
});
