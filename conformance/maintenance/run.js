/**
 * `npm run conformance:maintenance`: the commands of docs/maintenance.md, pasted one after the other, for three brokers of
 * this tree with their audit logs and their table.
 */

import { strict as assert } from 'node:assert';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Connection } from '../../build/faults/load.js';
import { region, startWorld, tableName } from '../../build/faults/world.js';
import { tryOne } from '../attempt.js';
import { run, versionOf } from '../commands.js';
import { Fleet } from '../fleet.js';
import { thisTree } from '../release.js';
import { replaceKeys } from './rotations.js';

const page = readFileSync(
  fileURLToPath(new URL('../../docs/maintenance.md', import.meta.url)),
  'utf8',
);
const commandsMs = 120_000;
/** So that each log has several closed files. */
const audit = { rotateBytes: 65_536 };
const requests = 150;
const restored = 'role-mappings-restored';

const directory = mkdtempSync(join(tmpdir(), 'token-broker-maintenance-'));
const world = await startWorld();
const fleet = new Fleet(world, directory, { audit });
await tryOne({ name: 'maintenance', attempt: maintain });

async function maintain() {
  try {
    for (const place of ['a', 'b', 'c']) await fleet.start(place, thisTree);
    const { logs, shell } = await prepared();
    await auditLogs(logs, shell);
    const table = await tableSavedAndRestored(shell);
    await clientSecret(shell);
    await fleet.stop();
    const replaced = await replaceKeys(world, join(directory, 'rotations'));
    return `audit logs of three brokers, a client secret; ${table}; ${replaced}`;
  } finally {
    await fleet.stop();
    await world.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What the page takes for granted: one folder with the logs of all brokers, and the command. */
async function prepared() {
  for (const { urls } of fleet.inTurn) {
    const connection = new Connection(urls.api);
    for (let index = 0; index < requests; index += 1) {
      const { status, code } = await connection.ask({ caller: world.user(index) });
      assert.equal(status, 200, code);
    }
    connection.close();
  }
  const place = (name) => {
    mkdirSync(join(directory, name));
    return join(directory, name);
  };
  const [logs, archive, secrets, bin] = ['logs', 'archive', 'secrets', 'bin'].map(place);
  fleet.auditDirectories.forEach((folder, index) => {
    cpSync(folder, join(logs, `token-broker-${index}`), { recursive: true });
  });
  const command = join(bin, 'token-broker');
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${thisTree.main}" "$@"\n`);
  chmodSync(command, 0o755);
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    AUDIT: logs,
    ARCHIVE: archive,
    SECRETS: secrets,
    NEW_SECRET: 'not-a-secret-either',
    AWS_ACCESS_KEY_ID: 'conformance',
    AWS_SECRET_ACCESS_KEY: 'conformance',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_ENDPOINT_URL_DYNAMODB: world.dynamodb.url,
  };
  /** What the block of the page prints that has these words. */
  const shell = (words, more = {}) => {
    const script = `set -euo pipefail\n${blockWith(words)}`;
    return run('bash', ['--norc', '-c', script], {
      cwd: directory,
      env: { ...env, ...more },
      timeoutMs: commandsMs,
    });
  };
  return { logs, shell };
}

function blockWith(words) {
  const blocks = [...page.matchAll(/^```bash\n(.*?)^```/gms)].map(([, text]) => text);
  const [block, another] = blocks.filter((text) => text.includes(words));
  assert(block !== undefined && another === undefined, `not one block with "${words}"`);
  return block;
}

async function auditLogs(logs, shell) {
  const found = await shell('--outcome issued');
  const lines = found.split('\n').filter((line) => line.includes('issued'));
  assert(lines.length >= requests * 3, `${lines.length} records of ${requests * 3} requests`);
  const before = filesBelow(logs);
  await shell('gzip -9');
  const packed = filesBelow(logs).filter((name) => name.endsWith('.gz'));
  assert.equal(filesBelow(logs).length, before.length);
  assert(packed.length >= 3, `${packed.length} files were packed`);
  await shell('cp -r --no-clobber');
  // Nothing is older than 90 days yet.
  assert.equal(filesBelow(logs).length, before.length);
  const again = await shell('--outcome issued');
  assert(again.replaceAll('.jsonl.gz', '.jsonl') === found, 'packed logs say something else');
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /audit-\d+\.jsonl(\.gz)?$/.test(name),
  );
}

/** A broker that has seen more takes the copy when it is told to. */
async function tableSavedAndRestored(shell) {
  const tools = { aws: ['--version'], jq: ['--version'] };
  const missing = Object.keys(tools).filter((name) => versionOf(name, tools[name]) === undefined);
  if (missing.length > 0) return `the table NOT RUN: no ${missing.join(', ')}`;
  const said = await shell('aws dynamodb scan', { TABLE: tableName });
  assert.equal(said, '');
  const config = fleet.configFileWith('a', { policy: { table: restored } });
  const unprocessed = await shell('batch-write-item', { TABLE: restored, CONFIG: config });
  assert.match(unprocessed.replace(/^(?!\d+$).*\n/gm, ''), /^(?:0\n)+$/);
  await fleet.end('a');
  const policy = { table: restored, acceptShrink: true };
  const { urls } = await fleet.start('a', thisTree, { policy });
  const connection = new Connection(urls.api);
  const { status, code } = await connection.ask({ caller: world.user(1) });
  connection.close();
  assert.equal(status, 200, code);
  return `the table with ${versionOf('aws', ['--version']).split(' ')[0]}`;
}

async function clientSecret(shell) {
  const file = join(directory, 'secrets', 'client-secret');
  writeFileSync(file, 'not-a-secret', { mode: 0o600 });
  await shell('NEW_SECRET');
  assert.equal(readFileSync(file, 'utf8'), 'not-a-secret-either');
  assert.equal(statSync(file).mode & 0o777, 0o600);
}
