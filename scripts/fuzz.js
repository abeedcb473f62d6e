/** The long form of every fuzz test: as many times the budget of `npm run test:all` as the argument says, 20 by default. */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const factor = Number(process.argv[2] ?? '20');
if (!Number.isInteger(factor) || factor < 1 || factor > 10_000) {
  console.error('usage: npm run fuzz -- [factor from 1 to 10000]');
  process.exit(2);
}

const root = fileURLToPath(new URL('..', import.meta.url));
const files = readdirSync(join(root, 'test'), { recursive: true })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => join('test', name))
  .filter((file) => readFileSync(join(root, file), 'utf8').includes('support/fuzz-budget.ts'));
console.log(
  `${files.length} files with fuzz tests, ${factor} times the budget of npm run test:all`,
);

const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(root, 'node_modules/jest/bin/jest.js'),
    '--config',
    join(root, 'jest.all.config.js'),
    '--runTestsByPath',
    ...files,
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, FUZZ_FACTOR: String(factor) } },
);
process.exitCode = status ?? 1;
