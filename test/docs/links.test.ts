import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
const all = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);
const starts = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'];
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

interface Link {
  /** From the root of the repository. */
  readonly path: string;
  readonly anchor: string | undefined;
}

/** To other files here, and to headings. */
function linksOf(page: string): readonly Link[] {
  const prose = textOf(page).replaceAll(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(
    ([, to = '', anchor]) => ({
      path: to === '' ? page : relative(root, resolve(root, dirname(page), to)),
      anchor,
    }),
  );
}

/** As GitHub makes them of headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const prose = textOf(page).replaceAll(/^```[\s\S]*?^```$/gm, '');
  return new Set(
    [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
      const slug = heading
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
        .replaceAll(' ', '-');
      const times = seen.get(slug) ?? 0;
      seen.set(slug, times + 1);
      return times === 0 ? slug : `${slug}-${times}`;
    }),
  );
}

describe('the pages', () => {
  it.each([...starts, ...all])('%s links to files and headings that there are', (page) => {
    const broken = linksOf(page).filter(({ path, anchor }) => {
      if (!existsSync(join(root, path))) return true;
      return anchor !== undefined && path.endsWith('.md') && !anchorsOf(path).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('are found from the README, each one', () => {
    const found = new Set(['README.md']);
    for (const page of found) {
      for (const link of linksOf(page)) for (const one of pagesAt(link)) found.add(one);
    }
    expect([...starts, ...all].filter((page) => !found.has(page))).toEqual([]);
  });
});

/** GitHub lists the files of a folder. */
function pagesAt({ path }: Link): readonly string[] {
  const isFolder = statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() === true;
  return [...starts, ...all].filter((one) => one === path || (isFolder && dirname(one) === path));
}
