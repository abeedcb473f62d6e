/** What of the repository is in the image: held against contents.txt, which is written by `--write`. */

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const listFile = fileURLToPath(new URL('contents.txt', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));
/** Of /app, without Node.js: what it was, and a tenth for what dependencies grow by. */
const maxMiB = 32;

/** `{ faults, mib }` of the tree that the image unpacks to. */
export function contentsFaults(tree, { write }) {
  const app = join(tree, 'app');
  const files = filesIn(app);
  const mib = files.reduce((sum, file) => sum + statSync(file).size, 0) / 1_048_576;
  const names = files.map((file) => relative(app, file));
  const seen = `${listed(names).join('\n')}\n`;
  if (write) writeFileSync(listFile, seen);
  const faults = [];
  const expected = readFileSync(listFile, 'utf8');
  if (seen !== expected) faults.push(...differences(expected, seen));
  const forEditors = names.filter((name) => /\.(?:[cm]?ts|map)$/.test(name));
  if (forEditors.length > 0) faults.push(`for editors alone: ${forEditors.slice(0, 3).join(', ')}`);
  if (!names.includes('LICENSE')) faults.push('the licence is missing');
  if (mib > maxMiB) faults.push(`${mib.toFixed(1)} MiB in /app, more than ${maxMiB}`);
  const writable = files.filter((file) => {
    const { uid, mode } = statSync(file);
    return uid !== 0 || (mode & 0o022) !== 0;
  });
  if (writable.length > 0) faults.push(`not of root alone: ${writable.slice(0, 3).join(', ')}`);
  faults.push(...packageFaults(names));
  return { faults, mib, packages: packagesIn(names).length };
}

/** Files of the program folder by folder, packages by their names: a patch of a dependency is no difference. */
function listed(names) {
  const own = names.filter((name) => !name.startsWith('node_modules/'));
  const folders = own.map((name) => name.replace(/^(dist\/[^/]+\/).*/, '$1'));
  return [...new Set([...folders, ...packagesIn(names)])].sort(byCodeUnits);
}

function packagesIn(names) {
  const manifests = names.flatMap(
    (name) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/package\.json$)/.exec(name) ?? [],
  );
  return [...new Set(manifests)].sort(byCodeUnits);
}

function byCodeUnits(a, b) {
  return a < b ? -1 : Number(a > b);
}

/** Of the lockfile, those that are not for development: the bill of materials is made from the same. */
function packageFaults(names) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const locked = Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path]) => path);
  const present = packagesIn(names);
  return [
    ...present
      .filter((name) => !locked.includes(name))
      .map((name) => `${name} is not in the lockfile`),
    ...locked
      .filter((name) => !present.includes(name))
      .map((name) => `${name} is not in the image`),
  ];
}

function differences(expected, seen) {
  const [before, now] = [expected, seen].map((text) => new Set(text.trimEnd().split('\n')));
  return [
    ...[...now].filter((line) => !before.has(line)).map((line) => `not in contents.txt: ${line}`),
    ...[...before].filter((line) => !now.has(line)).map((line) => `not in the image: ${line}`),
  ];
}

function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
