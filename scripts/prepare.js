/**
 * Makes a fresh clone ready: checks Node, installs what package-lock.json names if it is not there yet, and,
 * with `--build`, compiles if the sources are newer. Needs nothing but Node and npm.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`token-broker needs Node 20.19 or newer; this is ${process.version}.`);
  process.exit(1);
}

const locked = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const installedMark = join(root, 'node_modules', '.installed-lockfile');
if (read(installedMark) !== locked) {
  console.error('Installing dependencies (once, takes a minute) …');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(installedMark, locked);
}

if (process.argv.includes('--build')) {
  build('dist', 'build', ['src', 'console', 'tsconfig.json', 'tsconfig.build.json']);
  const beside = ['emulators', 'faults', 'scripts/docs', 'test/support'];
  build('build', 'build:dev', ['src', ...beside, 'tsconfig.json', 'tsconfig.dev.json']);
}

/** Runs `script` into an empty folder if a source is newer: what left the sources must not live on in there. */
function build(folder, script, sources) {
  const builtMark = join(root, folder, '.built-sources');
  const digest = sources.map((source) => digestOf(join(root, source))).join('');
  if (read(builtMark) === digest) return;
  console.error(`Compiling ${folder}/ …`);
  rmSync(join(root, folder), { recursive: true, force: true });
  run('npm', ['run', '--silent', script]);
  writeFileSync(builtMark, digest);
}

function run(command, args) {
  try {
    // Standard output belongs to the command that is being prepared.
    execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  } catch {
    console.error(`\n"${command} ${args.join(' ')}" failed; see above.`);
    process.exit(1);
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function digestOf(path) {
  const hash = createHash('sha256');
  for (const file of filesIn(path)) hash.update(file).update(readFileSync(file));
  return hash.digest('hex');
}

function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}
