/** openapi-generator's `go`: a module that the program's go.mod replaces by the generated folder. */

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, versionOf } from '../commands.js';
import { generate, generatorTools, generatorVersion } from './generator.js';
import { checkProgram } from './program.js';

const sources = fileURLToPath(new URL('go', import.meta.url));

export const go = {
  name: 'go',
  tools: [{ name: 'go', command: 'go', args: ['version'] }, ...generatorTools],
  async run({ directory, stack, say }) {
    cpSync(sources, directory, { recursive: true });
    const client = join(directory, 'client');
    await generate({
      cache: join(directory, '..'),
      generator: 'go',
      output: client,
      options: [
        '--additional-properties=packageName=tokenbroker,enumClassPrefix=true,enumUnknownDefaultCase=true',
        ...['--git-host', 'example.com', '--git-user-id', 'tokenbroker', '--git-repo-id', 'client'],
      ],
      say,
    });
    say('building and vetting the client');
    await run('go', ['build', './...'], { cwd: client, timeoutMs: 600_000 });
    await run('go', ['vet', './...'], { cwd: client, timeoutMs: 600_000 });
    say('building and vetting the program');
    await run('go', ['vet', '.'], { cwd: directory, timeoutMs: 600_000 });
    await run('go', ['build', '-o', 'program', '.'], { cwd: directory, timeoutMs: 600_000 });
    await checkProgram({
      command: join(directory, 'program'),
      args: [],
      cwd: directory,
      stack,
      language: this.name,
      say,
    });
    return `openapi-generator ${generatorVersion} go, ${versionOf('go', ['version'])}`;
  },
};
