/** Supply chain: no package of the image runs a script at install time, and the lockfile names no server. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const maxProductionPackages = 150;

const faults = [];
let production = 0;
for (const [path, entry] of Object.entries(packages)) {
  if (path === '') continue;
  if (entry.resolved !== undefined) faults.push(`${path} records a download address`);
  if (entry.integrity === undefined && entry.link !== true) faults.push(`${path} has no integrity`);
  if (entry.dev === true) continue;
  production += 1;
  if (entry.hasInstallScript === true) faults.push(`${path} runs an install script`);
}
if (production > maxProductionPackages) {
  faults.push(`${production} production packages; more than ${maxProductionPackages}`);
}
for (const fault of faults) console.error(fault);
console.log(`${production} production packages, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
