import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Installs packages into an empty folder, as another package's: npm takes what these need out of its own cache, and asks
 * the registry for what is not there. Gives what npm complained about.
 */
export async function npmInstall(folder: string, ...packages: readonly string[]): Promise<string> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages];
  const env = { ...process.env };
  // The settings of this tree, which `npm run` hands down: a consumer has none of them.
  for (const name of Object.keys(env)) if (/^npm_/i.test(name)) delete env[name];
  const { stderr } = await promisify(execFile)('npm', args, { cwd: folder, env });
  return stderr;
}
