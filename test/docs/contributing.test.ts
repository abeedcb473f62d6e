import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const root = new URL('../../', import.meta.url);
const page = readFileSync(new URL('CONTRIBUTING.md', root), 'utf8');
const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));

describe('CONTRIBUTING.md', () => {
  it('names files and folders that exist', () => {
    const words = page.split(/[`\s()]+/).filter((word) => !word.includes('<'));
    const paths = words.filter((word) =>
      /^(?:src|test|docs|schemas|scripts)\/[\w./-]+$/.test(word),
    );
    expect(paths.length).toBeGreaterThan(30);
    // A folder with the beginning of a file's name chooses tests.
    const missing = paths.filter(
      (path) => !existsSync(new URL(path, root)) && !existsSync(new URL(`${path}.test.ts`, root)),
    );
    expect(missing).toEqual([]);
  });

  it('names commands that exist', () => {
    const names = [...page.matchAll(/npm run ([\w:]+)/g)].map((match) => match[1] ?? '');
    expect(names.length).toBeGreaterThan(4);
    expect(names.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});
