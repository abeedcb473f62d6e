import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

const script = new URL('../../scripts/node24.js', import.meta.url).href;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'token-broker-node24-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Fetches into a folder of its own, from a registry that gives this for the package. */
function fetched(content: string) {
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const npm = `#!/bin/sh
for last; do :; done
printf %s '${content}' > "$last/given.tgz"
echo given.tgz
`;
  writeFileSync(join(bin, 'npm'), npm);
  chmodSync(join(bin, 'npm'), 0o755);
  const folder = join(directory, 'fetched');
  const program = `import { fetchedNode } from '${script}';
process.env.PATH = '${bin}:' + process.env.PATH;
console.log(fetchedNode('${folder}'));`;
  const words = ['--input-type=module', '--eval', program];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  return { stdout, stderr, left: readdirSync(folder) };
}

describe('the Node.js that the tests are run on as well', () => {
  it('is used only if it is what the repository says (T284)', () => {
    const { stdout, stderr, left } = fetched('another program');
    expect(stdout.trim()).toBe('undefined');
    expect(stderr).toMatch(/is not what scripts\/node24\.js was written for|no package of Node/);
    expect(left).toEqual([]);
  });
});
