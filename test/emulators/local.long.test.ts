/** `local` as people run it: a process that prints what to paste, writes what programs need, and keeps its state. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readDocument } from '../support/markdown.ts';
import { runBash } from '../support/shell.ts';

const main = fileURLToPath(new URL('../../build/emulators/main.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'token-broker-local-test-'));
const state = join(directory, 'state');

interface Client {
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
  readonly role: string | null;
}

interface Ready {
  readonly broker: string;
  readonly admin: string;
  readonly ops: string;
  readonly tokenEndpoint: string;
  readonly auditLog: string;
  readonly clients: readonly Client[];
}

const children: ChildProcess[] = [];

async function startLocal(...options: readonly string[]) {
  const readyFile = join(directory, `ready-${options.join('')}.json`);
  rmSync(readyFile, { force: true });
  const ready = new Promise<void>((resolve) => {
    const watcher = watch(directory, (_event, name) => {
      if (name === `ready-${options.join('')}.json`) {
        watcher.close();
        resolve();
      }
    });
  });
  const child = spawn(
    process.execPath,
    [main, 'local', '--port', '0', '--state', state, '--ready-file', readyFile, ...options],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  children.push(child);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const exit = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  const ended = exit.then((how) => {
    throw new Error(`local ended with ${how}: ${printed}`);
  });
  ended.catch(() => undefined);
  await Promise.race([ready, ended]);
  return {
    document: JSON.parse(readFileSync(readyFile, 'utf8')) as Ready,
    printed: () => printed,
    async stop() {
      child.kill('SIGINT');
      return await exit;
    },
  };
}

async function tokenOf({ tokenEndpoint, clients }: Ready, name: string): Promise<string> {
  const client = clients.find((candidate) => candidate.name === name) as Client;
  const answer = await fetch(tokenEndpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: client.clientId,
      client_secret: client.clientSecret,
    }),
  });
  return ((await answer.json()) as { access_token: string }).access_token;
}

async function issue(ready: Ready, name: string): Promise<Response> {
  return await fetch(`${ready.broker}/v1/credentials`, {
    method: 'POST',
    headers: { authorization: `Bearer ${await tokenOf(ready, name)}` },
  });
}

async function disableOrdersWriter(ready: Ready): Promise<void> {
  const url = `${ready.admin}/v1/role-mappings/orders-writer`;
  const authorization = `Bearer ${await tokenOf(ready, 'admin')}`;
  const current = await fetch(url, { headers: { authorization } });
  const { mapping } = (await current.json()) as { mapping: object };
  const answer = await fetch(url, {
    method: 'PUT',
    headers: {
      authorization,
      'content-type': 'application/json',
      'if-match': current.headers.get('etag') ?? '',
      'change-reason': 'to see whether it lasts',
    },
    body: JSON.stringify({ ...mapping, enabled: false }),
  });
  expect(answer.status).toBe(200);
}

describe('npm run local', () => {
  let first: Awaited<ReturnType<typeof startLocal>>;

  beforeAll(async () => {
    first = await startLocal();
  }, 60_000);

  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });

  it('writes everything a program needs, and prints commands to paste', () => {
    const url = expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+/);
    expect(first.document).toMatchObject({
      broker: url,
      admin: url,
      ops: url,
      issuer: url,
      console: `${first.document.admin}/console/`,
      tokenEndpoint: url,
      sts: url,
      dynamodb: url,
      table: expect.any(String),
      auditLog: join(state, 'audit', 'audit.jsonl'),
    });
    const role = expect.stringMatching(/^arn:aws:iam::123456789012:role\//);
    const common = {
      clientId: expect.any(String),
      clientSecret: expect.any(String),
      scope: expect.any(String),
    };
    expect(first.document.clients).toMatchObject([
      { name: 'orders', ...common, role },
      { name: 'reports', ...common, role, roles: [role, role, role] },
      { name: 'stranger', ...common, role: null },
      { name: 'legacy', ...common, role },
      { name: 'ledger', ...common, role },
      { name: 'admin', ...common, role: null },
      { name: 'console', ...common, clientSecret: '', role: null },
    ]);
    expect(first.printed()).toContain(`curl -s -X POST '${first.document.broker}/v1/credentials'`);
  });

  it('writes variables with which the commands of the README do what they say', async () => {
    const readme = readDocument('../README.md');
    const [, block = ''] = /In another terminal:\n\n((?: {4}.*\n|\n)+)/.exec(readme) ?? [];
    const commands = block.replaceAll('.local/env', `${state}/env`);
    const asked = commands.slice(0, commands.indexOf('    # as an administrator'));
    expect(asked).toContain('$TOKEN_ENDPOINT');
    const printed = await runBash(asked, { cwd: directory, env: {} });
    expect(printed).toContain('"accessKeyId"');
    expect(statSync(`${state}/env`).mode & 0o077).toBe(0);
  });

  it('refuses a second stack on the same state', async () => {
    await expect(startLocal('--fresh')).rejects.toThrow(/local ended with 1: /);
    expect((await issue(first.document, 'orders')).status).toBe(200);
  }, 30_000);

  it('keeps secrets and role mappings over a restart, until it is told to begin anew', async () => {
    await disableOrdersWriter(first.document);
    const secrets = first.document.clients.map(({ clientSecret }) => clientSecret);
    expect(await first.stop()).toBe(0);

    const second = await startLocal('--port', '0');
    expect(second.document.clients.map(({ clientSecret }) => clientSecret)).toEqual(secrets);
    expect((await issue(second.document, 'orders')).status).toBe(403);
    expect(await second.stop()).toBe(0);

    const third = await startLocal('--fresh');
    expect((await issue(third.document, 'orders')).status).toBe(200);
    expect(await third.stop()).toBe(0);
  }, 60_000);
});
