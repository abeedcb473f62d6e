/** `token-broker/client` as another package sees it: what `npm run build` made, by its name. */

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serviceRolesFromFile } from '../../src/client/service-roles-file.ts';
import { codeBlocks, readDocument } from '../support/markdown.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readDocument('client-library.md');
let consumer: string;

/** A package of its own, strict about everything, that has the library installed. */
beforeAll(() => {
  consumer = mkdtempSync(join(tmpdir(), 'token-broker-test-'));
  mkdirSync(join(consumer, 'node_modules'));
  symlinkSync(root, join(consumer, 'node_modules', 'token-broker'));
  for (const name of ['@types', '@aws-sdk', 'express']) {
    symlinkSync(join(root, 'node_modules', name), join(consumer, 'node_modules', name));
  }
  writeFileSync(join(consumer, 'package.json'), '{"type":"module"}');
  const compilerOptions = {
    ...{ module: 'nodenext', target: 'es2022', types: ['node'], noEmit: true, strict: true },
    ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
  };
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
});
afterAll(() => rmSync(consumer, { recursive: true }));

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

describe('token-broker/client', () => {
  it('can be imported by its name, and offers what the documentation says', async () => {
    const program = `
      const library = await import('token-broker/client');
      process.stdout.write(Object.keys(library).sort().join(' '));
    `;
    writeFileSync(join(consumer, 'names.js'), program);
    const { stdout } = await run(process.execPath, ['names.js'], { cwd: consumer });
    expect(stdout.split(' ')).toEqual([
      'BrokerError',
      'CognitoTokenValidator',
      'StsWebIdentityAdapter',
      'TokenBrokerError',
      'TokenRequestError',
      'callerOf',
      'fromTokenBroker',
      'requireCaller',
      'requireRole',
      'serviceRolesFromFile',
    ]);
    for (const name of stdout.split(' ')) expect(page).toContain(name);
  });

  it('lets a process end that holds a provider with credentials to renew', async () => {
    const program = `
      import { createServer } from 'node:http';
      import { fromTokenBroker } from 'token-broker/client';
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
    writeFileSync(join(consumer, 'provider.js'), program);
    const { stdout } = await run(process.execPath, ['provider.js'], { cwd: consumer });
    expect(stdout).toBe('123456789012');
  }, 30_000);

  it('does not end the process of a service that has answered while a token was checked', async () => {
    const program = `
      import { createServer } from 'node:http';
      import { BrokerError, requireCaller } from 'token-broker/client';
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
    writeFileSync(join(consumer, 'late.js'), program);
    const { stdout } = await run(process.execPath, ['late.js'], { cwd: consumer });
    expect(stdout).toBe('504');
  }, 30_000);

  it('lets nobody import anything else of the package', async () => {
    writeFileSync(join(consumer, 'deep.js'), `await import('token-broker/dist/broker.js');`);
    const deep = run(process.execPath, ['deep.js'], { cwd: consumer });
    await expect(deep).rejects.toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
  });

  it('has types that compile in a strict package, and catch mistakes', async () => {
    const mistakes = `
      import { fromTokenBroker, requireRole, type ServiceRoleRules } from 'token-broker/client';
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
