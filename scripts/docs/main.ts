/** `npm run docs`: writes what docs/ says of code from the code, and the schemas for editors. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { writtenPages } from './pages.ts';
import { writtenSchemas } from './schemas.ts';

for (const [name, write] of Object.entries(writtenPages)) writeAnew(`docs/${name}`, write);
for (const [name, write] of Object.entries(writtenSchemas)) writeAnew(`schemas/${name}`, write);

/** `file`: of the clone, from where npm runs this. */
function writeAnew(file: string, write: (before: string) => string): void {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const after = write(before);
  if (after === before) return;
  writeFileSync(file, after);
  console.log(`${file} is written anew.`);
}
