/** openapi-generator's `java` with okhttp-gson: a module of the Maven build of which the program is the other one. */

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, versionOf } from '../commands.js';
import { generate, generatorTools, generatorVersion } from './generator.js';
import { checkProgram } from './program.js';

const sources = fileURLToPath(new URL('java', import.meta.url));
const packages = 'com.example.tokenbroker';
const properties = [
  `invokerPackage=${packages}`,
  `apiPackage=${packages}.api`,
  `modelPackage=${packages}.model`,
  `errorObjectType=${packages}.model.Problem`,
  'containerDefaultToNull=true',
  'enumUnknownDefaultCase=true',
  'hideGenerationTimestamp=true',
];

export const java = {
  name: 'java',
  tools: [{ name: 'javac 11 or newer', command: 'javac', args: ['--version'] }, ...generatorTools],
  async run({ directory, stack, say }) {
    cpSync(sources, directory, { recursive: true });
    await generate({
      cache: join(directory, '..'),
      generator: 'java',
      output: join(directory, 'client'),
      options: [
        ...['--library', 'okhttp-gson', `--additional-properties=${properties.join(',')}`],
        ...['--group-id', 'com.example', '--artifact-id', 'token-broker-client'],
        ...['--artifact-version', '0.1.0'],
      ],
      say,
    });
    say('compiling with Maven');
    const jars = ['-Dmaven.javadoc.skip=true', '-Dmaven.source.skip=true'];
    await run('mvn', ['-q', '-B', 'package', ...jars], { cwd: directory, timeoutMs: 900_000 });
    const classes = ['classes', 'dependency/*'].map((part) => join('program', 'target', part));
    await checkProgram({
      command: 'java',
      args: ['-cp', classes.join(':'), 'com.example.admin.Program'],
      cwd: directory,
      stack,
      language: this.name,
      say,
    });
    return `openapi-generator ${generatorVersion} java okhttp-gson, ${versionOf('javac', ['--version'])}`;
  },
};
