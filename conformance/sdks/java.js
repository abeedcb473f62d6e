/** AWS SDK for Java v2, fetched by Maven. */

import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, versionOf } from '../commands.js';
import { checkSdk } from './check.js';

const sources = fileURLToPath(new URL('java', import.meta.url));

export const java = {
  name: 'java',
  tools: [
    { name: 'javac 11 or newer', command: 'javac', args: ['--version'] },
    { name: 'mvn', command: 'mvn', args: ['--version'] },
  ],
  async run({ directory, stack, say }) {
    cpSync(sources, directory, { recursive: true });
    say('compiling with Maven');
    await run('mvn', ['-q', '-B', 'package'], { cwd: directory, timeoutMs: 900_000 });
    const classes = ['classes', 'dependency/*'].map((part) => join(directory, 'target', part));
    const tried = await checkSdk({
      language: this.name,
      command: 'java',
      args: ['-cp', classes.join(':'), 'com.example.WhoAmI'],
      directory,
      stack,
      say,
    });
    const pins = readFileSync(join(sources, 'pom.xml'), 'utf8');
    const [, version] = /<artifactId>sts<\/artifactId>\s*<version>([^<]+)</.exec(pins);
    return `software.amazon.awssdk:sts ${version}, ${versionOf('javac', ['--version'])}: ${tried}`;
  },
};
