import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { readDocument, tableRows } from '../support/markdown.ts';

const root = new URL('../../', import.meta.url);
const rows = tableRows(
  readDocument('threat-model.md'),
  '| no. | threat | control | test | status |',
).map(([number = '', threat = '', control = '', test = '', status = '']) => ({
  number,
  threat,
  status,
  sources: [
    ...control.matchAll(/`((?:src|console|aws|k8s|deploy|scripts)\/[^`]+|Dockerfile)`/g),
  ].map(([, file = '']) => file),
  tests: test.split('; ').map((one) => {
    const [, file = '', words = ''] = /^`(test\/[^`]+)`: (.+)$/.exec(one) ?? [];
    return { file, words };
  }),
}));

interface NumberedTitle {
  readonly file: string;
  readonly number: string;
  readonly title: string;
}

/** Titles that say which threats they are about: `'T8: refuses …'` or `'refuses … (T8, T12)'`. */
const titles: readonly NumberedTitle[] = readdirSync(new URL('test/', root), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.test.ts') && name !== 'docs/threat-model.test.ts')
  .flatMap((name) => {
    const text = readFileSync(new URL(`test/${name}`, root), 'utf8');
    return [...text.matchAll(/'([^'\n]*)'|"([^"\n]*)"|`([^`\n]*)`/g)].flatMap((literal) => {
      const title = literal[1] ?? literal[2] ?? literal[3] ?? '';
      const numbers = /^(T\d+(?:, T\d+)*): /.exec(title) ?? /\((T\d+(?:, T\d+)*)\)$/.exec(title);
      return (numbers?.[1]?.split(', ') ?? []).map((number) => ({
        file: `test/${name}`,
        number,
        title,
      }));
    });
  });

describe('docs/threat-model.md', () => {
  it('has every threat once, in order', () => {
    const numbers = rows.map(({ number }) => Number(/^T([1-9]\d*)$/.exec(number)?.[1]));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers[0]).toBe(1);
  });

  it.each(rows)('says of $number where the control is, in files that exist', ({ sources }) => {
    expect(sources).not.toEqual([]);
    expect(sources.filter((file) => !existsSync(new URL(file, root)))).toEqual([]);
  });

  it.each(rows)('names tests of $number that say so in their titles', ({ number, tests }) => {
    expect(tests).not.toEqual([]);
    const missing = tests.filter(
      ({ file, words }) =>
        !titles.some(
          (it) => it.file === file && it.number === number && it.title.includes(words || '\0'),
        ),
    );
    expect(missing).toEqual([]);
  });

  it('names every file with a title that has the number of a threat', () => {
    const named = new Set(
      rows.flatMap(({ number, tests }) => tests.map(({ file }) => `${number} ${file}`)),
    );
    const there = new Set(titles.map(({ number, file }) => `${number} ${file}`));
    expect([...there].filter((entry) => !named.has(entry))).toEqual([]);
  });

  it('says of every threat how far its control is shown', () => {
    const vague = rows.filter(
      ({ status }) => !/^(?:shown by a test|(?:partly|not here): .{10,})$/.test(status),
    );
    expect(vague.map(({ number }) => number)).toEqual([]);
  });

  it('has only files in its text that exist', () => {
    const text = readDocument('threat-model.md');
    const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, link = '']) => link);
    expect(links.length).toBeGreaterThan(0);
    expect(links.filter((link) => !existsSync(new URL(`docs/${link}`, root)))).toEqual([]);
  });
});
