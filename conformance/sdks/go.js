/** AWS SDK for Go v2; go.sum beside the program pins every module. */

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, versionOf } from '../commands.js';
import { checkSdk } from './check.js';

const sources = fileURLToPath(new URL('go', import.meta.url));

export const go = {
  name: 'go',
  tools: [{ name: 'go', command: 'go', args: ['version'] }],
  async run({ directory, stack, say }) {
    cpSync(sources, directory, { recursive: true });
    say('building the program');
    const build = ['build', '-mod=readonly', '-o', 'whoami', '.'];
    await run('go', build, { cwd: directory, timeoutMs: 600_000 });
    const tried = await checkSdk({
      language: this.name,
      command: join(directory, 'whoami'),
      args: [],
      directory,
      stack,
      say,
    });
    const pins = readFileSync(join(sources, 'go.mod'), 'utf8');
    const [, version] = /aws-sdk-go-v2\/config v(\S+)/.exec(pins);
    return `aws-sdk-go-v2/config ${version}, ${versionOf('go', ['version'])}: ${tried}`;
  },
};
