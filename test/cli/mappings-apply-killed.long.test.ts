/** An apply whose process is killed: the table is as if the plan had been shorter, and the next apply does the rest. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { configText } from '../../emulators/config-text.ts';
import { maxEditsAtOnce } from '../../src/dynamodb/transaction-items.ts';
import { mappingText, row } from '../support/mapping-folder.ts';
import { mappingStack } from '../support/mapping-stack.ts';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const stack = mappingStack();
const { folders } = stack;

const groups = 4;
const ids = Array.from({ length: groups * maxEditsAtOnce }, (_, index) => `m-${1000 + index}`);

it('T292: an apply that is killed leaves whole groups, in order, and the next one does the rest', async () => {
  const { config, table, documents, put, apply, plan } = await stack.newTable();
  const directory = folders.folder({
    'all.yaml': ids.map((id) => mappingText(id)).join('\n---\n'),
  });
  const file = join(folders.folder(), 'config.yaml');
  const { profile, identity, policy, sts, audit } = config;
  writeFileSync(file, configText({ profile, identity, policy, sts, audit }));
  const args = ['mappings', 'apply', directory, '--config', file, '--yes', '--reason', 'TEST-1'];
  const child = spawn(process.execPath, [main, ...args], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  while ((await table.head()) === 0) expect(child.exitCode).toBeNull();
  // Whatever is on its way now never arrives.
  stack.server.setFault({ kind: 'hang', operations: ['TransactWriteItems'] });
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
  stack.server.setFault();

  // It waits for what had arrived before.
  await put(row('other', { managedBy: 'api' }));
  const made = (await table.head()) - 1;
  expect([made % maxEditsAtOnce, made < ids.length]).toEqual([0, true]);
  const changes = await table.changesSince(0);
  expect(changes.map(({ id }) => id)).toEqual([...ids.slice(0, made), 'other']);
  expect(Object.keys(await documents()).length).toBe(made + 1);

  // The log that was being written is held for some seconds.
  const rest = await apply(directory, { auditDirectory: join(folders.folder(), 'another') });
  expect(rest.code).toBe(0);
  expect((await table.changesSince(made + 1)).map(({ id }) => id)).toEqual(ids.slice(made));
  expect((await plan(directory)).code).toBe(0);
}, 120_000);
