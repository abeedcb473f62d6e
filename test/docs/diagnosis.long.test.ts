/** The commands of docs/diagnosis.md, as they stand there, on the local stack with the two options that its last section names. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { main } from '../support/command.ts';
import { type LocalStackProcess, startLocalStackProcess } from '../support/local-stack.ts';
import { codeBlocks, readDocument } from '../support/markdown.ts';
import { runSignedIn } from '../support/signed-in-shell.ts';

const minutesMs = 60_000;
const root = mkdtempSync(join(tmpdir(), 'token-broker-diagnosis-'));
const cwd = join(root, 'empty');
const blocks = codeBlocks(readDocument('diagnosis.md'), 'bash');
const setUp = blocks.at(-1) ?? '';
/** Without the doctor, which is the last command there. */
const prepared = setUp.slice(0, setUp.lastIndexOf('token-broker doctor'));
const options = '--iam-endpoint "$IAM" --cognito-endpoint "$ISSUER_ORIGIN"';
/** The stack of a test takes free ports, which its configuration does not name: the broker's own documents are not found there. */
const oneRole = (command: string) =>
  command.includes('--role ')
    ? command.trimEnd()
    : `${command.trimEnd()} --role arn:aws:iam::123456789012:role/broker/orders-writer`;
let stack: LocalStackProcess;

beforeAll(async () => {
  mkdirSync(cwd);
  stack = await startLocalStackProcess(root);
}, 3 * minutesMs);

afterAll(async () => {
  await stack.stop();
  rmSync(root, { recursive: true, force: true });
});

const run = (script: string) =>
  runSignedIn(script, { cwd, env: { MAIN: main, LOCAL_ENV: stack.environment, HOME: root } });
const notPassed = (out: string) =>
  out.split('\n').filter((line) => /^(?:fail|unknown) /.test(line));
const doctors = blocks.filter((block) => block.startsWith('token-broker doctor'));

describe('docs/diagnosis.md', () => {
  it(
    'says how the doctor is started on the local stack, where all is well',
    async () => {
      const { code, out, err } = await run(oneRole(setUp));
      expect([code, notPassed(out), err]).toEqual([0, [], '']);
      expect(out).toMatch(/^pass +token +the sample token/m);
      expect(out).toContain(' 0 fail, 0 unknown.');
    },
    2 * minutesMs,
  );

  it.each(doctors)(
    'has a command that does there what it says: %s',
    async (block) => {
      const { code, out, err } = await run(`${prepared}\n${oneRole(block)} ${options}`);
      // Without a token nobody knows what the trigger of a pool does.
      const isShown = block.includes('--token-file');
      const unknown = isShown ? [] : [expect.stringMatching(/^unknown +token-shape /)];
      expect([code, notPassed(out), err]).toEqual([isShown ? 0 : 2, unknown, '']);
      expect(/^pass +exchange .*token-broker-doctor/m.test(out)).toBe(block.includes('--try'));
    },
    2 * minutesMs,
  );

  it('has no other command that works there, and says which they are', async () => {
    const others = blocks.filter((block) => block !== setUp && !doctors.includes(block));
    expect(others.map((block) => block.split(' ').slice(0, 3).join(' '))).toEqual([
      'token-broker web-identity check',
      'AWS_PROFILE=payments token-broker doctor',
    ]);
    const { code, out } = await run(`${prepared}\n${others[0]}`);
    expect([code, out]).toEqual([1, expect.stringContaining('cannot be fetched')]);
  });
});
