/** openapi-generator's `python`, installed into a virtual environment with the versions that are pinned here. */

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../commands.js';
import { pythonTool, pythonVersion, virtualEnvironment } from '../virtual-environment.js';
import { generate, generatorTools, generatorVersion } from './generator.js';
import { checkProgram } from './program.js';

const sources = fileURLToPath(new URL('python', import.meta.url));

export const python = {
  name: 'python',
  tools: [pythonTool, ...generatorTools],
  async run({ directory, stack, say }) {
    cpSync(sources, directory, { recursive: true });
    const output = join(directory, 'client');
    await generate({
      cache: join(directory, '..'),
      generator: 'python',
      output,
      options: ['--additional-properties=packageName=token_broker_client,packageVersion=0.1.0'],
      say,
    });
    const inside = { cwd: directory, timeoutMs: 300_000 };
    const bin = await virtualEnvironment(directory, say);
    say('installing the client');
    const client = ['--no-deps', '--no-build-isolation', '--force-reinstall', output];
    await run(join(bin, 'pip'), ['install', '--quiet', ...client], inside);
    say('checking the types of the program');
    await run(join(bin, 'mypy'), ['--strict', 'program.py'], inside);
    await checkProgram({
      command: join(bin, 'python'),
      args: ['program.py'],
      cwd: directory,
      stack,
      language: this.name,
      say,
    });
    return `openapi-generator ${generatorVersion} python, Python ${pythonVersion()}`;
  },
};
