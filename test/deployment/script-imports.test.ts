/** Benchmarks and conformance are JavaScript over what was compiled: no compiler says when a module of theirs has moved. */

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
    [...readFileSync(join(root, file), 'utf8').matchAll(/ from '(\.[^']+)'/g)].map(
      ([, specifier = '']) => ({ file, source: sourceOf(join(dirname(file), specifier)) }),
    ),
  );
  expect(imports.length).toBeGreaterThan(0);
  expect(imports.filter(({ source }) => !existsSync(join(root, source)))).toEqual([]);
});

/** Of a file that may be compiled. */
function sourceOf(path: string): string {
  if (path.startsWith('dist/')) return path.replace(/^dist\/(.*)\.js$/, 'src/$1.ts');
  return path.replace(/^build\/(.*)\.js$/, '$1.ts');
}
