/** AWS SDK for Rust. A Cargo.lock would name where crates come from, so its own crates are pinned and theirs are not. */

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, versionOf } from '../commands.js';
import { checkSdk } from './check.js';

const sources = fileURLToPath(new URL('rust', import.meta.url));

export const rust = {
  name: 'rust',
  tools: [{ name: 'cargo', command: 'cargo', args: ['--version'] }],
  async run({ directory, stack, say }) {
    cpSync(sources, directory, { recursive: true });
    say('building the program: some minutes the first time');
    await run('cargo', ['build', '--quiet'], { cwd: directory, timeoutMs: 1_800_000 });
    const tried = await checkSdk({
      language: this.name,
      command: join(directory, 'target', 'debug', 'whoami'),
      args: [],
      directory,
      stack,
      say,
    });
    const pins = readFileSync(join(sources, 'Cargo.toml'), 'utf8');
    const [, version] = /aws-sdk-sts = \{ version = "=([^"]+)"/.exec(pins);
    return `aws-sdk-sts ${version}, ${versionOf('cargo', ['--version'])}: ${tried}`;
  },
};
