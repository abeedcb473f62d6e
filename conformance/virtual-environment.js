/** A virtual environment of Python with the versions that a requirements.txt pins. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, versionOf } from './commands.js';

const imports = 'import ensurepip, platform, venv; print(platform.python_version())';

export const pythonTool = { name: 'python3 with venv', command: 'python3', args: ['-c', imports] };

export function pythonVersion() {
  return versionOf('python3', ['-c', imports]);
}

/** Its `bin`; made anew when the interpreter or the pinned versions in `directory` are others. */
export async function virtualEnvironment(directory, say) {
  const environment = join(directory, 'venv');
  const pins = join(directory, 'requirements.txt');
  const mark = join(environment, 'installed');
  const wanted = createHash('sha256')
    .update(`${pythonVersion()}\n`)
    .update(readFileSync(pins))
    .digest('hex');
  const bin = join(environment, 'bin');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return bin;
  say('making a virtual environment');
  rmSync(environment, { recursive: true, force: true });
  const inside = { cwd: directory, timeoutMs: 600_000 };
  await run('python3', ['-m', 'venv', environment], inside);
  await run(join(bin, 'pip'), ['install', '--quiet', '-r', pins], inside);
  writeFileSync(mark, wanted);
  return bin;
}
