/** openapi-generator, fetched once from where Maven fetches everything, and checked. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../commands.js';

/** The version that docs/generated-clients.md tells people to use. */
export const generatorVersion = '7.24.0';
const jarSha256 = '4b83ccc6fd43056c8c631cd0195e5100bd0550912502527bab09ac76152dab0c';
const copyArtifact = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';

export const contract = fileURLToPath(new URL('../../openapi.yaml', import.meta.url));

export const generatorTools = [
  { name: 'java 11 or newer', command: 'java', args: ['--version'] },
  { name: 'mvn', command: 'mvn', args: ['--version'] },
];

/** The client alone, without tests and pages of its own, in an empty directory. */
export async function generate({ cache, generator, output, options, say }) {
  const jar = await fetchedJar(cache, say);
  say(`generating with openapi-generator ${generatorVersion}, ${generator}`);
  rmSync(output, { recursive: true, force: true });
  const only = ['apiTests', 'modelTests', 'apiDocs', 'modelDocs'].map((part) => `${part}=false`);
  const args = ['-i', contract, '-g', generator, '-o', output, '--global-property', only.join(',')];
  await run('java', ['-jar', jar, 'generate', ...args, ...options], {
    cwd: cache,
    timeoutMs: 180_000,
  });
}

async function fetchedJar(cache, say) {
  const jar = join(cache, `openapi-generator-cli-${generatorVersion}.jar`);
  if (!existsSync(jar)) {
    say(`fetching openapi-generator ${generatorVersion}`);
    const artifact = `org.openapitools:openapi-generator-cli:${generatorVersion}:jar`;
    await run(
      'mvn',
      ['-q', '-B', copyArtifact, `-Dartifact=${artifact}`, `-DoutputDirectory=${cache}`],
      { cwd: cache, timeoutMs: 600_000 },
    );
  }
  const digest = createHash('sha256').update(readFileSync(jar)).digest('hex');
  if (digest !== jarSha256) {
    rmSync(jar);
    throw new Error(`openapi-generator-cli ${generatorVersion} has the SHA-256 ${digest}`);
  }
  return jar;
}
