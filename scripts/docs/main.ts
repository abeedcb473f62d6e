/** `npm run docs`: writes what docs/ says of code from the code. */

import { readFileSync, writeFileSync } from 'node:fs';
import { writtenPages } from './pages.ts';

for (const [name, write] of Object.entries(writtenPages)) {
  // Of the clone, from where npm runs this.
  const file = `docs/${name}`;
  const before = readFileSync(file, 'utf8');
  const after = write(before);
  if (after === before) continue;
  writeFileSync(file, after);
  console.log(`${file} is written anew.`);
}
