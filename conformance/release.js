/** Releases of the broker as they can be run: this tree, and an earlier revision that is built in a folder of its own. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './commands.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const buildMs = 600_000;

export const thisTree = { name: 'this tree', main: join(root, 'dist', 'main.js') };

/** The revision that the changelog calls its newest release: `## 1.2.3 (commit)`. */
export function lastRelease() {
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const [, version, commit] = /^## (\d+\.\d+\.\d+) \(([0-9a-f]{7,40})\)$/m.exec(changelog) ?? [];
  if (commit === undefined) throw new Error('CHANGELOG.md names no release with its commit');
  return { version, commit };
}

/** Its full name; undefined if this clone does not have it, as shallow ones may not. */
export function commitOf(revision) {
  try {
    const args = ['rev-parse', '--verify', '--quiet', `${revision}^{commit}`];
    return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

/**
 * `{ name, main }` of that commit, from its own lockfile. Kept in `.local` for the next time.
 *
 * @throws CommandError if it cannot be built
 */
export async function builtRelease(commit, say) {
  const place = join(root, '.local', 'releases', commit);
  const release = { name: commit.slice(0, 12), main: join(place, 'dist', 'main.js') };
  if (existsSync(release.main)) return release;
  mkdirSync(dirname(place), { recursive: true });
  const building = mkdtempSync(join(dirname(place), 'building-'));
  try {
    say(`building ${release.name} …`);
    const options = { cwd: building, timeoutMs: buildMs };
    const tarball = join(building, 'tree.tar');
    const archive = ['archive', '--output', tarball, commit];
    await run('git', archive, { cwd: root, timeoutMs: buildMs });
    await run('tar', ['-xf', tarball], options);
    rmSync(tarball);
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], options);
    await run('npm', ['run', '--silent', 'build'], options);
    renameSync(building, place);
    return release;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}
