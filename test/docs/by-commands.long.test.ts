/** What the pages say that an administrator does, done on a local stack: every block as it stands there. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { type LocalStackProcess, startLocalStackProcess } from '../support/local-stack.ts';
import { codeBlocks, readDocument } from '../support/markdown.ts';
import { type Printed, runSignedIn } from '../support/signed-in-shell.ts';

const minutesMs = 60_000;
const root = mkdtempSync(join(tmpdir(), 'token-broker-by-commands-'));
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
let stack: LocalStackProcess;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  stack = await startLocalStackProcess(root);
  env = { MAIN: main, LOCAL_ENV: stack.environment, HOME: root, TMPDIR: root };
}, 3 * minutesMs);

afterAll(async () => {
  await stack.stop();
  rmSync(root, { recursive: true, force: true });
});

const folder = (name: string) => {
  const path = join(root, name);
  mkdirSync(path);
  return path;
};
const mark = '----- next block -----';

interface Walked extends Printed {
  /** What the block printed that has these words. */
  of(words: string): string;
}

async function walk(
  blocks: readonly string[],
  cwd: string,
  people: readonly string[],
): Promise<Walked> {
  const script = blocks.join(`\necho '${mark}'\n`);
  const printed = await runSignedIn(script, { cwd, env, people, timeoutMs: 10 * minutesMs });
  const outputs = printed.out.split(mark);
  const of = (words: string) => outputs[blocks.findIndex((block) => block.includes(words))] ?? '';
  return { ...printed, of };
}

describe('docs/walkthrough.md', () => {
  const page = readDocument('walkthrough.md');
  let walked: Walked;
  beforeAll(async () => {
    walked = await walk(codeBlocks(page, 'bash'), folder('walkthrough'), ['bob', 'alice']);
  }, 10 * minutesMs);

  it('comes to its end, and needs neither curl nor jq', () => {
    expect([walked.code, walked.err]).toEqual([0, expect.any(String)]);
    expect(codeBlocks(page, 'bash').join('')).not.toMatch(/\b(?:curl|jq|wget)\b/);
  });

  it('finds out why a service is denied, which is told whom to ask', () => {
    expect(walked.of('explain')).toContain('DENY: mapping_expired');
    expect(walked.of('explain')).toContain('exit code 1');
    expect(walked.err).toContain('Alice or Bob, who are the administrators here');
  });

  it('grants a role for a day by two people, and sees it issued', () => {
    expect(walked.of('--for 1d')).toContain('second administrator');
    expect(walked.of('--for 1d')).toContain('exit code 3');
    expect(walked.of('proposals approve')).toContain(
      'gains arn:aws:iam::123456789012:role/broker/reports-archiver',
    );
    expect(walked.of('proposals approve')).toContain('reports-archiver is replaced, version 2');
    expect(walked.of('&& echo issued')).toMatch(/^\s*issued\n.*Z {2}issued {2}record/);
  });

  it('freezes, lifts the freeze, and undoes the grant', () => {
    expect(walked.of('unfreeze')).toMatch(/is created, version 1[\s\S]*is deleted, version 2/);
    expect(walked.of('mappings undo')).toContain('reports-archiver is replaced, version 3');
  });

  it('reviews a pull request with a hand edit in between, and brings that into Git', () => {
    const review = walked.of('git switch');
    expect(review).toContain('which applying takes back:\n        - conditions.expiresAt:');
    expect(review).toContain('this change:\n        ~ description:');
    const brought = walked.of('--update mappings');
    expect(brought).toMatch(/\n\+ {2}expiresAt: "/);
    expect(brought).not.toContain('outside of Git');
    expect(brought).toContain('~ description:');
  });
});

describe('docs/commands.md', () => {
  it(
    'shows commands that do what they say',
    async () => {
      const blocks = codeBlocks(readDocument('commands.md'), 'bash');
      const before = `eval "$(cat "$LOCAL_ENV")"\ntoken-broker() { node "$MAIN" "$@"; }\ntoken-broker login`;
      const walked = await walk([before, ...blocks], folder('commands'), ['alice']);
      expect([walked.code, walked.err]).toEqual([0, expect.any(String)]);
      expect(walked.of('freezes')).toContain('would be created');
      expect(walked.of('explain')).toContain('ALLOW\n  asked for reports-reader');
    },
    5 * minutesMs,
  );
});

/** The shell lines of a pipeline, job by job. */
interface Pipeline {
  readonly review: string;
  readonly apply: string;
  readonly drift: string;
}

interface GithubJob {
  readonly steps: readonly { readonly run?: string }[];
}

const github = (): Pipeline => {
  const { jobs } = parse(readDocument('pipelines/github-actions.yml')) as {
    readonly jobs: Readonly<Record<string, GithubJob>>;
  };
  const lines = (job: string) =>
    (jobs[job]?.steps ?? []).flatMap(({ run }) => run ?? []).join('\n');
  return { review: lines('review'), apply: lines('apply'), drift: lines('drift') };
};

const gitlab = (): Pipeline => {
  const jobs = parse(readDocument('pipelines/gitlab-ci.yml')) as Readonly<
    Record<string, { readonly script: readonly string[] }>
  >;
  const lines = (...names: readonly string[]) =>
    names.flatMap((name) => jobs[name]?.script ?? []).join('\n');
  return { review: lines('validate', 'plan'), apply: lines('apply'), drift: lines('drift') };
};

describe.each([
  ['github-actions.yml', github],
  ['gitlab-ci.yml', gitlab],
])('docs/pipelines/%s', (name, read) => {
  const id = name.replace(/\W/g, '-');
  const mapping = `id: ${id}
principal: { pool: us-east-1_Local0001, client: 3stranger0example0client0i }
effect: allow
role: arn:aws:iam::123456789012:role/broker/${id}
conditions: { caller: machine, scopes: [orders/write] }
owner: ${id}
`;
  const test = `tests:
  - name: it works
    caller: { pool: us-east-1_Local0001, client: 3stranger0example0client0i, scopes: [orders/write] }
    request: { role: ${id} }
    expect: { decision: allow }
`;
  /** What the runner brings, and the one thing that is not tried: the comment. */
  const before = `eval "$(cat "$LOCAL_ENV")"
token-broker() { node "$MAIN" "$@"; }
gh() { echo "gh $*"; }
export CLIENT_ID=$ADMIN_CLIENT_ID CLIENT_SECRET=$ADMIN_CLIENT_SECRET ROLE_MAPPINGS_CLIENT_SECRET=$ADMIN_CLIENT_SECRET
export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local RUNNER_TEMP=$PWD PULL_REQUEST=7
export REPOSITORY=example/policy COMMIT=0123abc CI_PROJECT_PATH=example/policy CI_COMMIT_SHA=0123abc
`;
  let cwd: string;
  beforeAll(() => {
    cwd = folder(id);
    mkdirSync(join(cwd, 'mappings'));
    writeFileSync(join(cwd, 'mappings', `${id}.yaml`), mapping);
    writeFileSync(join(cwd, 'mappings', `${id}.test.yaml`), test);
  });
  const run = (job: keyof Pipeline, instead = '') =>
    runSignedIn(`${before}\n${instead}\n${read()[job]}`, { cwd, env, timeoutMs: 3 * minutesMs });

  it.each([1, 78, 134, 137])(
    'T381: has nothing reviewed where the plan ends with %i',
    async (code) => {
      const instead = `token-broker() { case "$*" in *\\ plan\\ *) return ${code};; esac; }`;
      const review = await run('review', instead);
      expect([review.code === 0, review.out]).toEqual([
        false,
        expect.not.stringContaining('gh pr'),
      ]);
    },
  );

  it(
    'reviews what a change does, applies it as the machine, finds no drift, and stops at a fault',
    async () => {
      const review = await run('review');
      expect([review.code, review.err]).toEqual([0, expect.any(String)]);
      expect(readFileSync(join(cwd, 'plan.md'), 'utf8')).toMatch(
        new RegExp(
          `^### Role mappings.*\\n\\n\`\`\`diff\\n\\+ client 3stranger\\S+ .* gains .*${id}`,
        ),
      );
      expect(review.out).not.toMatch(/Applied/);
      const applied = await run('apply');
      expect([applied.code, applied.err]).toEqual([0, expect.any(String)]);
      expect(applied.out).toContain('Applied 1 changes');
      expect(applied.out).toContain('Signed out of');
      const history = await runSignedIn(
        `${before}\ntoken-broker audit find --directory audit --type mapping_change`,
        { cwd, env },
      );
      expect(history.out).toContain('5admin0example0client0id00');
      // Others have mappings of Git here, which these files do not know.
      const drift = await run('drift');
      expect(drift.out).toContain('Plan: nothing to change; 1 unchanged.');
      writeFileSync(join(cwd, 'mappings', `${id}.yaml`), mapping.replace('allow', 'perhaps'));
      const faulty = await run('review');
      expect(faulty.code).not.toBe(0);
    },
    10 * minutesMs,
  );
});
