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
  // Builds for other platforms are never installed here; one that is must say what its bytes are.
  const elsewhere = entry.optional === true && entry.os !== undefined;
  if (entry.integrity === undefined && !elsewhere) faults.push(`${path} has no integrity`);
  for (const name of Object.keys(entry.optionalDependencies ?? {})) {
    if (
      packages[`node_modules/${name}`] === undefined &&
      packages[`${path}/node_modules/${name}`] === undefined
    ) {
      faults.push(`${path} names ${name}, which the lockfile lacks: npm ci refuses that`);
    }
  }
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
