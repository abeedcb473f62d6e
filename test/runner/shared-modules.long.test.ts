import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const jest = pathOf('../../node_modules/jest/bin/jest.js');

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'runner-')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the runner of `npm test` says of a file of tests: titles by status, and what is said of the file as a whole. */
function outcome(tests: string, ...options: readonly string[]) {
  const file = join(folder, 'made.test.mjs');
  writeFileSync(
    file,
    `import { expect, it } from '@jest/globals';
    import { setTimeout as pause } from 'node:timers/promises';
    ${tests}`,
  );
  const config = {
    rootDir: folder,
    testMatch: [file],
    testRunner: pathOf('shared-modules.js'),
    testTimeout: 5000,
    transform: {},
  };
  const args = [jest, '--config', JSON.stringify(config), '--json', '--runInBand', ...options];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const { testResults } = JSON.parse(stdout) as {
    testResults: { message: string; assertionResults: { title: string; status: string }[] }[];
  };
  const [{ message, assertionResults } = { message: '', assertionResults: [] }] = testResults;
  const titles = (status: string) =>
    assertionResults.filter((result) => result.status === status).map(({ title }) => title);
  return { passed: titles('passed'), failed: titles('failed'), message, stderr };
}

it('a test fails by a rejection that nobody looks at, and by no other', () => {
  const { passed, failed, message } = outcome(`
    it('lost', async () => { void Promise.reject(new Error('nobody asked')); await pause(5); });
    it('looked at late', async () => {
      const rejected = Promise.reject(new Error('late'));
      await pause(5);
      await expect(rejected).rejects.toThrow('late');
    });
    it('thrown late', async () => { setTimeout(() => { throw new Error('thrown'); }); await pause(5); });
    it('innocent', async () => { await pause(5); });`);
  expect({ passed, failed }).toEqual({
    passed: ['looked at late', 'innocent'],
    failed: ['lost', 'thrown late'],
  });
  expect(message).toContain('nobody asked');
});

it('a file fails by the rejection that its last test leaves behind', () => {
  const { message } = outcome(
    `it('last', () => { void Promise.reject(new Error('at the end')); });`,
  );
  expect(message).toContain('at the end');
});

it('--randomize shuffles the tests of a file by the seed that it prints', () => {
  const titles = Array.from({ length: 12 }, (_, index) => `test ${index}`);
  const tests = `for (const title of ${JSON.stringify(titles)}) it(title, () => {});`;
  const given = outcome(tests, '--randomize', '--seed', '7');
  expect(new Set(given.passed)).toEqual(new Set(titles));
  expect(given.passed).not.toEqual(titles);
  expect(given.stderr).toMatch(/^Seed: +7$/m);

  const chosen = outcome(tests, '--randomize');
  expect(chosen.passed).not.toEqual(given.passed);
  const seed = /^Seed: +(-?\d+)$/m.exec(chosen.stderr)?.[1] ?? 'none';
  expect(outcome(tests, '--randomize', `--seed=${seed}`).passed).toEqual(chosen.passed);
});
