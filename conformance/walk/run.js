/** `npm run conformance:walk`: the blocks of docs/walk.md, pasted into one shell one after the other. Loopback only. */

import { strict as assert } from 'node:assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tryOne } from '../attempt.js';
import { run, versionOf } from '../commands.js';
import { readyFileOf, startDaemon } from '../daemon.js';
import { freePorts } from '../free-ports.js';
import { readOptions } from '../options.js';
import { commitOf, lastRelease } from '../release.js';

const usage = `Usage: npm run conformance:walk -- [--require]

Pastes every block of docs/walk.md into one shell, on free ports, with the state in a folder of its own.

  --require  Fail where a program or the last release is not to be had, instead of skipping.
`;
const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(root, 'docs', 'walk.md'), 'utf8');
const walkMs = 900_000;
const mark = '#### the next block';
const tools = {
  nginx: '-v',
  prometheus: '--version',
  curl: '--version',
  openssl: 'version',
  jq: '--version',
  git: '--version',
};
/** Panels of what the walk does not have, or not yet; the page says why. */
const mayBeSilent = new Set([
  'Not covered by a checkpoint',
  'Failures among what may be had',
  'Certificates end in',
  'TLS handshakes not completed',
  'Alarms that are on',
]);
/** Whatever becomes of the walk, nothing that it has started is left. */
const afterwards = `trap 'kill $(cat "$WALK"/*/pid "$WALK"/*.pid 2> /dev/null) 2> /dev/null || true' EXIT`;

const options = readOptions({ usage, options: { require: { type: 'boolean', default: false } } });
if (options !== undefined)
  await tryOne({ name: 'walk', require: options.require, prepare: lookAround, attempt: walk });

function lookAround() {
  const missing = Object.keys(tools).filter((name) => versionOf(name, [tools[name]]) === undefined);
  if (commitOf(lastRelease().commit) === undefined) missing.push('the last release in this clone');
  return missing.length === 0 ? {} : { lacks: `no ${missing.join(', ')}` };
}

async function walk() {
  const directory = mkdtempSync(join(tmpdir(), 'token-broker-walk-'));
  // The clone, with a `.local` of its own.
  for (const name of readdirSync(root)) {
    if (name !== '.local') symlinkSync(join(root, name), join(directory, name));
  }
  const readyFile = join(directory, 'ready.json');
  const main = join(root, 'build', 'emulators', 'main.js');
  const state = join(directory, '.local');
  const local = startDaemon(
    process.execPath,
    [main, 'local', '--port', '0', '--ready-file', readyFile, '--state', state],
    { logFile: join(directory, 'local.log') },
  );
  try {
    await readyFileOf(local, readyFile);
    const blocks = await onFreePorts(
      [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, it]) => it),
    );
    const marked = blocks.map((block) => `echo "${mark}"\n${block}`);
    const script = ['set -eu', afterwards, ...marked].join('\n');
    const said = await run('bash', ['--norc', '-c', script], { cwd: directory, timeoutMs: walkMs });
    check(said.split(`${mark}\n`).slice(1));
    return `${blocks.length} blocks of docs/walk.md`;
  } finally {
    await local.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What the page says that one sees. */
function check(said) {
  assert.equal(said.length, 11, 'the page has other blocks');
  const [, checked, brokers, proxy, oneGone, prometheus, panels, alert, last, rolled, away] = said;
  assert.equal(checked.match(/: valid \(development profile\)/g)?.length, 3);
  assert.equal(last.match(/: valid \(development profile\)/g)?.length, 3);
  assert.equal(brokers.match(/serving ok/g)?.length, 3);
  assert.equal(statusesIn(proxy).join(), '200');
  assert.equal(statusesIn(oneGone).join(), Array(6).fill('200').join());
  assert.match(prometheus, /"issued"/);
  assert.match(prometheus, /"version":"\d/);
  const answered = [...panels.matchAll(/: (\d+) series$/gm)].map(([, count]) => Number(count));
  assert(answered.length > 30, `${answered.length} queries of dashboards`);
  const silent = [...panels.matchAll(/^(.*): 0 series$/gm)].map(([, title]) => title);
  const unexpected = silent.filter((title) => !mayBeSilent.has(title));
  assert.deepEqual(unexpected, [], 'queries of dashboards without an answer');
  assert.equal(alert.match(/^TokenBrokerEmergencyFileUnusable /gm)?.length, 3);
  assert.equal(statusesIn(alert).join(), '403,200');
  const statuses = new Set(statusesIn(rolled));
  assert(statuses.size === 1 && statuses.has('200'), `while rolling: ${[...statuses]}`);
  assert.equal(rolled.match(/serving ok/g)?.length, 6);
  assert.match(away, /All intact: \d+ records/);
}

function statusesIn(said) {
  return said.match(/^\d{3}$/gm) ?? [];
}

/** In the place of those that the page names; three brokers have ports in a row. */
async function onFreePorts(blocks) {
  const [proxy, prometheus] = await freePorts(2);
  const [api, ops] = [await threeInARow(), await threeInARow()];
  return blocks.map((block) =>
    block
      .replaceAll(/\b820(?=\$n|\\1)/g, api)
      .replaceAll(/\b920(?=\$[n1]|[123]\b)/g, ops)
      .replaceAll('8443', proxy)
      .replaceAll('9291', prometheus),
  );
}

/** The digits that 1, 2 and 3 are put behind. */
async function threeInARow() {
  for (;;) {
    const prefix = 1_100 + Math.floor(Math.random() * 2_000);
    const free = await Promise.all([1, 2, 3].map((digit) => isFree(prefix * 10 + digit)));
    if (free.every(Boolean)) return String(prefix);
  }
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
