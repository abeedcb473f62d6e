/** Every block of commands that the operators' pages and the README have: what runs it as it stands there, or why nothing does. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { codeBlocks, readDocument } from '../support/markdown.ts';

/** Pages whose every block is taken by one test or command, new ones too. */
const whole: Readonly<Record<string, string>> = {
  'auditors.md': 'test/docs/auditors.test.ts',
  'diagnosis.md': 'test/docs/diagnosis.long.test.ts',
  'walk.md': 'conformance/walk/run.js',
  'walkthrough.md': 'test/docs/by-commands.long.test.ts',
};

interface Block {
  readonly page: string;
  /** In this block of the page and in no other. */
  readonly words: string;
}

/** `by`: a file that takes it from the page, or that has these words itself. */
interface RunBlock extends Block {
  readonly by: string;
  readonly has?: string;
}

const run: readonly RunBlock[] = [
  {
    page: '../README.md',
    words: 'npm run demo ',
    by: 'test/emulators/demo.long.test.ts',
    has: "'demo'",
  },
  {
    page: '../README.md',
    words: 'npm run local',
    by: 'test/emulators/local.long.test.ts',
    has: "'local'",
  },
  {
    page: '../README.md',
    words: '# a token, by client credentials',
    by: 'test/emulators/local.long.test.ts',
  },
  {
    page: '../README.md',
    words: 'aws sts get-caller-identity',
    by: 'conformance/sdks/python.js',
    has: 'get-caller-identity',
  },
  { page: 'maintenance.md', words: '--outcome issued', by: 'conformance/maintenance/run.js' },
  { page: 'maintenance.md', words: 'gzip -9', by: 'conformance/maintenance/run.js' },
  { page: 'maintenance.md', words: 'cp -r --no-clobber', by: 'conformance/maintenance/run.js' },
  { page: 'maintenance.md', words: 'aws dynamodb scan', by: 'conformance/maintenance/run.js' },
  { page: 'maintenance.md', words: 'batch-write-item', by: 'conformance/maintenance/run.js' },
  { page: 'maintenance.md', words: 'NEW_SECRET', by: 'conformance/maintenance/run.js' },
  {
    page: 'operations.md',
    words: 'audit find --directory /mnt/audit archive/',
    by: 'test/docs/auditors.test.ts',
  },
];

interface BlockNotRun extends Block {
  readonly because: string;
  /** How the page tells its readers, outside of its blocks. Undefined: a list, which nobody takes for commands to be run. */
  readonly says?: string;
}

const notRun: readonly BlockNotRun[] = [
  {
    page: 'operations.md',
    words: 'aws kms get-public-key',
    because:
      'a key of KMS and a bucket are needed; conformance/maintenance verifies by checkpoints and keys in files',
    says: 'The first two commands were not run',
  },
  {
    page: 'deployment.md',
    words: 'docker build',
    because:
      'a Docker daemon and public base images; buildah builds the same file in conformance/image',
    says: 'With Docker itself nothing of this page was run',
  },
  {
    page: 'deployment.md',
    words: 'docker run --read-only',
    because: 'a Docker daemon; crun runs the same image in conformance/image',
    says: 'With Docker itself nothing of this page was run',
  },
  {
    page: 'deployment.md',
    words: 'useradd --system',
    because: 'a host of its own with systemd as its first process',
    says: 'the commands below were not run either',
  },
  {
    page: '../README.md',
    words: 'npm run check ',
    because: 'a list of scripts; each says by itself what it needs, and whether it ran',
  },
  {
    page: '../README.md',
    words: 'config check --config config.yaml',
    because: 'a reminder of names; each command has pages and tests of its own',
  },
];

const pages = [
  '../README.md',
  'auditors.md',
  'deployment.md',
  'diagnosis.md',
  'maintenance.md',
  'metrics.md',
  'operations.md',
  'walk.md',
  'walkthrough.md',
];
const shells = ['sh', 'bash', 'shell', 'console'];

/** Fenced blocks for a shell, and those that are indented, as the README has them. */
function blocksOf(page: string): readonly string[] {
  const text = readDocument(page);
  const fenced = shells.flatMap((shell) => codeBlocks(text, shell));
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '');
  const indented = [...prose.matchAll(/(?<=\n\n)(?: {4}\S.*\n(?: {4}.*\n|\n(?= {4}))*)/g)].map(
    ([it]) => it,
  );
  return [
    ...fenced,
    ...indented.filter((block) => /^ {4}(?:npm|node|curl|eval|export|#) /m.test(block)),
  ];
}

const all = pages
  .filter((page) => whole[page] === undefined)
  .flatMap((page) =>
    blocksOf(page).map((text) => ({ page, text, title: text.trim().split('\n')[0] ?? '' })),
  );
const source = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
const bare = (page: string) => page.replace('../', '');

describe('the commands of the pages', () => {
  it.each(all)('$page: "$title" is run by something, or is known not to be', ({ page, text }) => {
    const entries = [...run, ...notRun].filter((it) => it.page === page && text.includes(it.words));
    expect(entries).toHaveLength(1);
  });

  it.each([...run, ...notRun])('$page has a block with "$words"', ({ page, words }) => {
    expect(all.filter((it) => it.page === page && it.text.includes(words))).toHaveLength(1);
  });

  it.each(Object.entries(whole))('of %s are taken from it by %s', (page, file) => {
    expect(blocksOf(page).length).toBeGreaterThan(0);
    expect(source(file)).toContain(page);
  });

  it.each(run)('$page: "$words" is run by $by', ({ page, words, by, has }) => {
    const text = source(by);
    const isPasted = has === undefined && by.startsWith('conformance/');
    if (isPasted) expect(text).toContain(words);
    expect(text).toContain(has ?? bare(page));
  });

  it.each(notRun.filter(({ says }) => says !== undefined))(
    '$page says that "$words" was not run',
    ({ page, says = '' }) => {
      const prose = blocksOf(page).reduce(
        (rest, block) => rest.replace(block, ''),
        readDocument(page),
      );
      expect(prose).toContain(says);
    },
  );
});
