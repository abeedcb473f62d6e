import { readdirSync, readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const stages = parseDockerfile(read('Dockerfile'));
const build = stages.find(({ name }) => name === 'build');
const final = stages.at(-1);

describe('image', () => {
  it('takes its base images as arguments, with public defaults of the same Node.js release', () => {
    const args = Object.fromEntries(
      (stages[0]?.preamble ?? []).map(({ text }) => text.split('=') as [string, string]),
    );
    expect(args).toEqual({
      BUILD_IMAGE: expect.stringMatching(/\/node:24-bookworm-slim$/),
      RUN_IMAGE: expect.stringMatching(/\/nodejs24-debian12:nonroot$/),
    });
    expect(stages.map(({ from }) => from.slice(2, -1))).toEqual([
      'BUILD_IMAGE',
      'BUILD_IMAGE',
      'RUN_IMAGE',
    ]);
  });

  it('installs what the lockfile says and runs no install script (T44)', () => {
    const installs = stages
      .flatMap(({ steps }) => steps)
      .filter(({ text }) => /\bnpm (?:ci|i|install)\b/.test(text));
    expect(
      installs.map(({ text }) => text.includes('npm ci') && text.includes('--ignore-scripts')),
    ).toEqual([true, true]);
  });

  it('carries production dependencies only (T44)', () => {
    const source = final?.steps.find(({ text }) => text.includes('node_modules'))?.text;
    const [, from] = /--from=(\w+)/.exec(source ?? '') ?? [];
    const stage = stages.find(({ name }) => name === from);
    expect(stage?.steps.map(({ text }) => text).join('\n')).toContain('npm ci --omit=dev');
  });

  it('carries the licence of the program', () => {
    const copied = final?.steps.find(({ text }) => text.includes('/build/LICENSE'))?.text;
    expect(copied).toBe('--from=build /build/package.json /build/LICENSE ./');
    expect(copiedFromRepository()).toContain('LICENSE');
  });

  it('carries no type files and no source maps, neither of the program nor of its packages', () => {
    const deleted = stages
      .flatMap(({ steps }) => steps)
      .filter(({ text }) => text.startsWith('find '))
      .map(({ text }) => text);
    expect(deleted).toEqual([
      ...['dist', 'node_modules'].map(
        (folder) =>
          `find ${folder} -type f \\( -name "*.ts" -o -name "*.mts" -o -name "*.cts" -o -name "*.map" \\) -delete`,
      ),
      // Two more builds of the same, which Node does not load.
      'find node_modules/@opentelemetry -type d \\( -path "*/build/esm" -o -path "*/build/esnext" \\) -prune -exec rm -r {} +',
    ]);
  });

  it('cannot start the local issuer: of the repository it gets src and the console, and the program runs without the rest (T47)', () => {
    const folders = copiedFromRepository().filter((path) =>
      statSync(repository(path)).isDirectory(),
    );
    expect(folders).toEqual(['src', 'console']);
    const compiled = build?.steps.find(({ text }) => text.includes('npm run build'))?.text;
    expect(compiled).toMatch(/&& node dist\/main\.js --help/);
  });

  it('compiles nothing that stands outside of src, and nothing in src asks for it (T47)', () => {
    const { compilerOptions, include } = JSON.parse(read('tsconfig.build.json'));
    expect([include, compilerOptions.rootDir]).toEqual([['src'], 'src']);
    const files = readdirSync(repository('src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `src/${file}`);
    const imported = files.flatMap((file) =>
      [...read(file).matchAll(/(?:from |import\()'(\.[^']*)'/g)].map(([, path = '']) =>
        posix.join(posix.dirname(file), path),
      ),
    );
    expect(imported.length).toBeGreaterThan(files.length);
    expect(imported.filter((path) => !path.startsWith('src/'))).toEqual([]);
  });

  it('runs as user 65532, which owns nothing but the two state folders (T45)', () => {
    expect(only('USER')).toBe('65532:65532');
    const owned = final?.steps
      .filter(({ text }) => text.includes('--chown'))
      .map(({ text }) => text.split(' ').at(-1));
    expect(owned).toEqual(['/var/lib/token-broker', '/var/log/token-broker']);
    expect(JSON.parse(only('VOLUME'))).toEqual(owned);
  });

  it('needs no shell: every command of the last stage is in exec form, and nothing is run to build it (T45)', () => {
    const [program, ...args] = JSON.parse(only('ENTRYPOINT'));
    expect([program, args.at(-1)]).toEqual(['/nodejs/bin/node', '/app/dist/main.js']);
    expect(JSON.parse(only('CMD'))).toEqual(['serve', '--config', '/etc/token-broker/config.yaml']);
    const check = only('HEALTHCHECK');
    expect(JSON.parse(check.slice(check.indexOf('[')))).toEqual([
      program,
      '/app/dist/main.js',
      'healthcheck',
    ]);
    expect(final?.steps.filter(({ keyword }) => keyword === 'RUN')).toEqual([]);
  });

  it('opens no inspector on a signal (T45, T48)', () => {
    const flags = JSON.parse(only('ENTRYPOINT')).slice(1, -1);
    expect(flags).toEqual(['--disable-sigusr1']);
    const environment = final?.steps
      .filter(({ keyword }) => keyword === 'ENV')
      .map(({ text }) => text);
    expect(environment).toEqual(['NODE_ENV=production']);
  });

  it('is built from what is listed, and the list has no place for secrets (T281)', () => {
    const lines = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    const [first, ...exceptions] = lines;
    expect(first).toBe('*');
    const copied = copiedFromRepository();
    expect(new Set(exceptions)).toEqual(new Set(copied.map((file) => `!${file}`)));
  });
});

interface Step {
  readonly keyword: string;
  readonly text: string;
}

interface Stage {
  readonly from: string;
  readonly name: string | undefined;
  /** What comes before the first stage. */
  readonly preamble: readonly Step[];
  readonly steps: Step[];
}

function parseDockerfile(text: string): readonly Stage[] {
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '');
  const preamble: Step[] = [];
  const found: Stage[] = [];
  for (const line of lines) {
    const [, keyword = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    if (keyword === '') throw new Error(`not an instruction: ${line}`);
    const [from = '', , name] = rest.split(' ');
    if (keyword === 'FROM') found.push({ from, name, preamble, steps: [] });
    else (found.at(-1)?.steps ?? preamble).push({ keyword, text: rest });
  }
  return found;
}

/** The one instruction of that kind in the last stage. */
function only(keyword: string): string {
  const [step, ...others] = final?.steps.filter((candidate) => candidate.keyword === keyword) ?? [];
  if (step === undefined || others.length > 0) throw new Error(`not exactly one ${keyword}`);
  return step.text;
}

/** Files and folders, by their paths in it. */
function copiedFromRepository(): readonly string[] {
  return stages
    .flatMap(({ steps }) => steps)
    .filter(({ keyword, text }) => keyword === 'COPY' && !text.startsWith('--from'))
    .flatMap(({ text }) => text.split(' ').slice(0, -1));
}

function read(file: string): string {
  return readFileSync(repository(file), 'utf8');
}

function repository(path: string): URL {
  return new URL(`../../${path}`, import.meta.url);
}
