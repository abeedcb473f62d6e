/** The tarballs of `npm run pack`, each installed into an empty folder: what other packages see of this one. */

import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serviceRolesFromFile } from '../../src/client/service-roles-file.ts';
import { codeBlocks, readDocument } from '../support/markdown.ts';
import { npmInstall } from '../support/npm-install.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readDocument('client-library.md');
const patience = 600_000;
const folder = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
const consumer = join(folder, 'consumer');
const operator = join(folder, 'operator');
const inClient = join(consumer, 'node_modules', 'token-broker-client');
const inService = join(operator, 'node_modules', 'token-broker');

let complaintsOfNpm = '';
let installed: readonly string[] = [];

beforeAll(async () => {
  const pack = [join(root, 'scripts', 'pack.js'), folder];
  const { stdout } = await run(process.execPath, pack, { cwd: folder });
  const [service = '', client = ''] = stdout.trim().split('\n');
  complaintsOfNpm = await npmInstall(consumer, join(folder, client));
  complaintsOfNpm += await npmInstall(operator, join(folder, service));
  installed = readdirSync(join(consumer, 'node_modules')).filter((name) => !name.startsWith('.'));
  // For types, and for the examples.
  for (const name of ['@types', '@aws-sdk', 'express']) {
    symlinkSync(join(root, 'node_modules', name), join(consumer, 'node_modules', name));
  }
  const compilerOptions = {
    ...{ module: 'nodenext', target: 'es2022', types: ['node'], noEmit: true, strict: true },
    ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
  };
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
}, patience);
afterAll(() => rmSync(folder, { recursive: true }));

/** Standard output of a module in the consumer's folder. */
async function outputOf(program: string, cwd = consumer): Promise<string> {
  writeFileSync(join(cwd, 'program.js'), program);
  const { stdout } = await run(process.execPath, ['program.js'], { cwd });
  return stdout;
}

/** What the compiler complains about; nothing, if it accepts these files. */
async function complaints(files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(consumer, name), text);
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { stdout } = await run(process.execPath, [tsc, '-p', consumer], { cwd: consumer }).catch(
    (failed: { readonly stdout: string }) => failed,
  );
  for (const name of Object.keys(files)) rmSync(join(consumer, name));
  return stdout;
}

const offered = {
  '': ['BrokerError', 'TokenBrokerError', 'TokenRequestError', 'fromTokenBroker'],
  '/tokens': ['CognitoTokenValidator'],
  '/middleware': ['callerOf', 'requireCaller', 'requireRole', 'serviceRolesFromFile'],
  '/sts': ['StsWebIdentityAdapter'],
};

function offer(name: string): string {
  return `process.stdout.write(Object.keys(await import('${name}')).sort().join(' '));`;
}

describe('token-broker-client', () => {
  it.each(Object.entries(offered))(
    'offers by %p what the documentation says',
    async (entry, names) => {
      expect((await outputOf(offer(`token-broker-client${entry}`))).split(' ')).toEqual(names);
      for (const name of names) expect(page).toContain(name);
      expect(page).toContain(`\`token-broker-client${entry}\``);
    },
  );

  it('brings no server and no AWS SDK', () => {
    expect(installed).toEqual([
      ...['aws-jwt-verify', 'lru-cache', 'token-broker-client', 'yaml', 'zod'],
    ]);
  });

  it('gives credentials without loading any package', async () => {
    const hook = `
      export async function resolve(name, context, next) {
        const found = await next(name, context);
        process._rawDebug(found.url);
        return found;
      }
    `;
    writeFileSync(join(consumer, 'hook.js'), hook);
    writeFileSync(join(consumer, 'main.js'), `import 'token-broker-client';`);
    const register = `data:text/javascript,import{register}from'node:module';register('./hook.js','file://${consumer}/');`;
    const { stderr } = await run(process.execPath, ['--import', register, 'main.js'], {
      cwd: consumer,
    });
    const loaded = stderr.split('\n').filter((url) => url.includes('/node_modules/'));
    expect(loaded.length).toBeGreaterThan(10);
    expect(loaded.filter((url) => !url.includes('/node_modules/token-broker-client/'))).toEqual([]);
  }, 60_000);

  it('lets a process end that holds a provider with credentials to renew', async () => {
    const program = `
      import { createServer } from 'node:http';
      import { fromTokenBroker } from 'token-broker-client';
      const credentials = {
        accessKeyId: 'ASIA0000000000000001',
        secretAccessKey: 'secretsecretsecretsecret',
        sessionToken: 'sessionsessionsession',
        expiration: new Date(Date.now() + 3600_000).toISOString().slice(0, 19) + 'Z',
      };
      const role = 'arn:aws:iam::123456789012:role/x';
      let asked = 0;
      const server = createServer((req, res) => {
        asked += 1;
        if (asked === 1) res.writeHead(503, { 'retry-after': '1' }).end();
        else res.end(JSON.stringify({ credentials, role }));
      });
      server.listen(0, '127.0.0.1', async () => {
        const url = 'http://127.0.0.1:' + server.address().port;
        server.unref();
        const { accountId } = await fromTokenBroker({ url, role, token: 'a.b.c' })();
        process.stdout.write(accountId);
        server.closeAllConnections();
      });
    `;
    expect(await outputOf(program)).toBe('123456789012');
  }, 30_000);

  it('does not end the process of a service that has answered while a token was checked', async () => {
    const program = `
      import { createServer } from 'node:http';
      import { BrokerError } from 'token-broker-client';
      import { requireCaller } from 'token-broker-client/middleware';
      let refuse;
      const validate = () => new Promise((_resolve, reject) => {
        refuse = () => reject(new BrokerError('keys_unavailable'));
      });
      const guard = requireCaller({ validator: { validate, matchableClaims: new Set() } });
      const server = createServer((req, res) => {
        guard(req, res, () => {});
        res.writeHead(504).end();
      });
      server.listen(0, '127.0.0.1', async () => {
        const url = 'http://127.0.0.1:' + server.address().port;
        const { status } = await fetch(url, { headers: { authorization: 'Bearer a.b.c' } });
        refuse();
        setImmediate(() => {
          process.stdout.write(String(status));
          server.close();
          server.closeAllConnections();
        });
      });
    `;
    expect(await outputOf(program)).toBe('504');
  }, 30_000);

  it('lets nobody import anything else of the package', async () => {
    for (const path of ['dist/client/broker-client.js', 'client', 'dist/core/decide.js']) {
      const deep = outputOf(offer(`token-broker-client/${path}`));
      await expect(deep).rejects.toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
    }
  });

  it('has types that compile in a strict package, and catch mistakes', async () => {
    const mistakes = `
      import { fromTokenBroker } from 'token-broker-client';
      import { requireRole, type ServiceRoleRules } from 'token-broker-client/middleware';
      // @ts-expect-error: a token is needed
      fromTokenBroker({ url: 'https://broker.example.com' });
      // @ts-expect-error: a rule must name its pool
      const rules: ServiceRoleRules = { editor: { groups: ['editors'] } };
      // @ts-expect-error: there must be rules
      requireRole('editor', {});
      export { rules };
    `;
    expect(await complaints({ 'mistakes.ts': mistakes })).toBe('');
  }, 60_000);
});

describe('token-broker', () => {
  it('has the command, and the console that it serves', async () => {
    const command = join(operator, 'node_modules', '.bin', 'token-broker');
    const { stdout } = await run(command, ['--help']);
    expect(stdout).toContain('Usage: token-broker');
    expect(existsSync(join(inService, 'dist', 'console', 'index.html'))).toBe(true);
  }, 60_000);

  it.each(Object.entries(offered))(
    'offers the same by "token-broker/client%s"',
    async (entry, names) => {
      const own = await outputOf(offer(`token-broker/client${entry}`), operator);
      expect(own.split(' ')).toEqual(names);
    },
  );

  it('brings nothing that can make up tokens, no tests and no state of a developer (T183)', () => {
    expect(readdirSync(inService).sort()).toEqual([
      ...['LICENSE', 'README.md', 'dist', 'openapi.yaml', 'package.json'],
    ]);
    expect(readdirSync(inClient).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json']);
    const rooms = readdirSync(join(root, 'src')).map((name) => name.replace('.ts', ''));
    for (const dist of [join(inService, 'dist'), join(inClient, 'dist')]) {
      const found = readdirSync(dist).map((name) => name.split('.')[0]);
      expect(found.filter((name) => name !== 'console' && !rooms.includes(name ?? ''))).toEqual([]);
    }
  });
});

describe('both packages', () => {
  it('run nothing when they are installed (T184)', () => {
    expect(complaintsOfNpm).not.toContain('install script');
    for (const folderOf of [inClient, inService]) {
      expect(
        JSON.parse(readFileSync(join(folderOf, 'package.json'), 'utf8')).scripts,
      ).toBeUndefined();
    }
  });

  it(
    'come built from the Git address',
    async () => {
      const repository = join(folder, 'repository');
      const git = (...args: readonly string[]) =>
        run('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], {
          cwd: repository,
        });
      const { stdout } = await run('git', ['ls-files', '-z'], { cwd: root });
      for (const name of stdout.split('\0').filter((file) => existsSync(join(root, file)))) {
        if (name === '') continue;
        mkdirSync(dirname(join(repository, name)), { recursive: true });
        cpSync(join(root, name), join(repository, name));
      }
      await git('init', '--quiet');
      await git('add', '--all');
      await git('commit', '--quiet', '--message', 'as it is');
      const other = join(folder, 'from-git');
      await npmInstall(other, `git+file://${repository}`);
      const names = await outputOf(offer('token-broker/client'), other);
      expect(names.split(' ')).toEqual(offered['']);
      const built = join(other, 'node_modules', 'token-broker', 'dist');
      expect(existsSync(join(built, 'console', 'index.html'))).toBe(true);
    },
    patience,
  );
});

describe('docs/client-library.md', () => {
  it('has examples that compile', async () => {
    const examples = codeBlocks(page, 'ts');
    expect(examples.length).toBeGreaterThan(4);
    const files = examples.map((text, index) => [`example-${index}.ts`, text]);
    expect(await complaints(Object.fromEntries(files))).toBe('');
  }, 60_000);

  it('has a file of rules that is accepted', () => {
    const [rules = ''] = codeBlocks(page, 'yaml');
    const file = join(consumer, 'roles.yaml');
    writeFileSync(file, rules);
    expect([...serviceRolesFromFile(file).names]).toEqual(['editor']);
  });
});
