/** `npm run test:node24 [-- FILES]`: the tests of `npm test`, on the Node.js that the image ships. */

import { execFileSync, spawnSync } from 'node:child_process';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchedNode } from './node24.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const node = process.versions.node.startsWith('24.') ? process.execPath : fetchedNode();
if (node === undefined) {
  process.exitCode = 1;
} else {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
  const said = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  console.error(`Testing on Node.js ${said} …`);
  const { status } = spawnSync(node, [jest, ...process.argv.slice(2)], {
    cwd: root,
    env,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}
