/** openapi-typescript and openapi-fetch, which npm fetches; the lockfile beside the program pins them. */

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../commands.js';
import { contract } from './generator.js';
import { checkProgram } from './program.js';

const sources = fileURLToPath(new URL('typescript', import.meta.url));

export const typescript = {
  name: 'typescript',
  tools: [{ name: 'npm', command: 'npm', args: ['--version'] }],
  async run({ directory, stack, say }) {
    cpSync(sources, directory, { recursive: true });
    const inside = { cwd: directory, timeoutMs: 300_000 };
    say('installing what package-lock.json names');
    await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], inside);
    const { devDependencies, dependencies } = JSON.parse(
      readFileSync(join(sources, 'package.json'), 'utf8'),
    );
    const pinned = { ...devDependencies, ...dependencies };
    say(`generating with openapi-typescript ${pinned['openapi-typescript']}`);
    await run('npx', ['--no-install', 'openapi-typescript', contract, '-o', 'broker.ts'], inside);
    say('compiling');
    await run('npx', ['--no-install', 'tsc'], inside);
    await checkProgram({
      command: process.execPath,
      args: ['built/program.js'],
      cwd: directory,
      stack,
      language: this.name,
      say,
    });
    const used = ['openapi-typescript', 'openapi-fetch', 'typescript'];
    return [...used.map((name) => `${name} ${pinned[name]}`), `Node ${process.version}`].join(', ');
  },
};
