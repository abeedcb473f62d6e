/**
 * openapi-generator's `java`, with okhttp-gson and with `native`, which is the JDK's own HttpClient: a module of the
 * Maven build of which the program is the other one.
 */

import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, versionOf } from '../commands.js';
import { generate, generatorTools, generatorVersion } from './generator.js';
import { checkProgram } from './program.js';

const packages = 'com.example.tokenbroker';
const properties = [
  `invokerPackage=${packages}`,
  `apiPackage=${packages}.api`,
  `modelPackage=${packages}.model`,
  'containerDefaultToNull=true',
  'enumUnknownDefaultCase=true',
  'hideGenerationTimestamp=true',
];

export const java = generated({
  name: 'java',
  library: 'okhttp-gson',
  more: [`errorObjectType=${packages}.model.Problem`],
});
export const javaNative = generated({ name: 'java-native', library: 'native', more: [] });

function generated({ name, library, more }) {
  const sources = fileURLToPath(new URL(name, import.meta.url));
  const javac = { name: 'javac 11 or newer', command: 'javac', args: ['--version'] };
  return {
    name,
    tools: [javac, ...generatorTools],
    async run({ directory, stack, say }) {
      cpSync(sources, directory, { recursive: true });
      const additional = [...properties, ...more].join(',');
      await generate({
        cache: join(directory, '..'),
        generator: 'java',
        output: join(directory, 'client'),
        options: [
          ...['--library', library, `--additional-properties=${additional}`],
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
        language: name,
        say,
      });
      return `openapi-generator ${generatorVersion} java ${library}, ${versionOf('javac', ['--version'])}`;
    },
  };
}
