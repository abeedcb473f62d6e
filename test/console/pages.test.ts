/** What holds on every page is looked at on every page: one that is new cannot be forgotten. */

import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { consolePages } from '../support/console-pages.ts';

it('the pages that tests look at are those that there are', () => {
  const shell = readFileSync('console/app/shell.tsx', 'utf8');
  const [, table = ''] = /const entries: readonly Entry\[\] = \[(.*?)\n\];/s.exec(shell) ?? [];
  const there = [...table.matchAll(/\{\s*name: '(\w*)'[^}]*\}/g)].flatMap(([entry, name = '']) =>
    entry.includes('detail:') ? [name, `${name}/…`] : [name],
  );
  const { nowhere: _none, ...looked } = consolePages('a proposal');
  expect(there).toEqual(Object.keys(looked));
});
