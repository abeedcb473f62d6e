/** `demo` as people run it. Each step of it checks what it shows, and ends it with 1 where that is not so. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const main = fileURLToPath(new URL('../../build/emulators/main.js', import.meta.url));

it('ends well, and shows a session that was taken past the broker and is found (T225)', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'demo'], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const [, accessKeyId] = /STS gives credentials \((ASIA\w+)\)/.exec(stdout) ?? [];
  expect(accessKeyId).toBeDefined();
  expect(stdout).toMatch(
    /^ {5}bypass {2}\S+ {2}arn:aws:iam::123456789012:role\/broker\/orders-writer$/m,
  );
});
