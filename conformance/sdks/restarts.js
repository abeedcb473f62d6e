/** The long form of test/http/restarts.long.test.ts: a minute of 50 clients of the SDK for JavaScript, the broker killed over and over. */

import { fileURLToPath } from 'node:url';
import { outcomeOf } from '../commands.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const seconds = 60;

export const restarts = {
  name: 'restarts',
  tools: [],
  async run({ say }) {
    say(`50 SDK clients for ${seconds} s, and a broker that is killed and restarted`);
    const jest = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
    const { ok, end, all } = await outcomeOf(
      process.execPath,
      [
        ...jest,
        'node_modules/jest/bin/jest.js',
        '--config',
        'jest.all.config.js',
        '--runTestsByPath',
        'test/http/restarts.long.test.ts',
      ],
      { cwd: root, env: { RESTARTS_SECONDS: String(seconds) }, timeoutMs: (seconds + 120) * 1000 },
    );
    const [, seen] = /^restarts: (.+)$/m.exec(all) ?? [];
    if (!ok || seen === undefined) throw new Error(`the test ${end}:\n${all}`);
    return seen;
  },
};
