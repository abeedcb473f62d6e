/** Benchmarks and conformance are JavaScript over what was compiled: no compiler says when a module or a name that they import has moved. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../..', import.meta.url));

it.each(['bench', 'conformance'])('%s imports what is there', (folder) => {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js') && !name.includes('node_modules'))
    .map((name) => join(folder, name));
  const imports = files.flatMap((file) =>
    [...read(file).matchAll(/^import ([^;']+) from '(\.[^']+)'/gm)].map(
      ([, names = '', specifier = '']) => {
        return { file, names, source: sourceOf(join(dirname(file), specifier)) };
      },
    ),
  );
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter(({ source }) => !existsSync(join(root, source)))).toEqual([]);
  const notExported = imports.flatMap(({ file, names, source }) =>
    namesIn(names)
      .filter((name) => !exportsOf(source).has(name))
      .map((name) => `${file}: ${name} of ${source}`),
  );
  expect(notExported).toEqual([]);
});

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Of `{ one, two as other }`, and of what is taken apart as `[, one]`. */
function namesIn(braced: string): readonly string[] {
  const [, inner = ''] = /[[{]([^\]}]*)[\]}]/.exec(braced) ?? [];
  return inner
    .split(',')
    .map((part) => part.trim().split(' ')[0] ?? '')
    .filter((name) => name !== '');
}

function exportsOf(source: string): ReadonlySet<string> {
  const text = read(source);
  const declared = text.matchAll(/^export (?:async )?(?:const|let|function\*?|class) (\w+)/gm);
  const listed = [...text.matchAll(/^export (?:const )?([[{][^\]}]*[\]}])/gm)].flatMap(
    ([, braced = '']) => {
      return namesIn(braced);
    },
  );
  return new Set([...Array.from(declared, ([, name = '']) => name), ...listed]);
}

/** Of a file that may be compiled. */
function sourceOf(path: string): string {
  if (path.startsWith('dist/')) return path.replace(/^dist\/(.*)\.js$/, 'src/$1.ts');
  return path.replace(/^build\/(.*)\.js$/, '$1.ts');
}
