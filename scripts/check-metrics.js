/** Runs the local stack, causes some of everything, and has `promtool check metrics` read the metrics page. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const startTimeoutMs = 30_000;
const maxSeries = 2_000;
const main = join(
  dirname(dirname(fileURLToPath(import.meta.url))),
  'build',
  'emulators',
  'main.js',
);

if (spawnSync('promtool', ['--version']).error !== undefined) {
  console.error('promtool is not installed; Debian has it in the package "prometheus".');
  process.exit(1);
}
if (!existsSync(main)) {
  console.error('build/ is not there; run "node scripts/prepare.js --build" first.');
  process.exit(1);
}

const directory = mkdtempSync(join(tmpdir(), 'token-broker-metrics-'));
const readyFile = join(directory, 'ready.json');
const stack = spawn(
  process.execPath,
  [main, 'local', '--port', '0', '--state', join(directory, 'state'), '--ready-file', readyFile],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
const ended = new Promise((resolve) => stack.once('exit', resolve));
try {
  const ready = await whenReady();
  const page = await pageAfterTraffic(ready);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: page });
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  const series = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  console.log(
    `promtool check metrics: ${status === 0 ? 'ok' : 'failed'}, ${series.length} series, scraped in ${await medianScrapeMs(ready)} ms`,
  );
  process.exitCode = status === 0 && series.length <= maxSeries ? 0 : 1;
} finally {
  stack.kill('SIGTERM');
  await ended;
  rmSync(directory, { recursive: true, force: true });
}

async function whenReady() {
  const deadline = Date.now() + startTimeoutMs;
  while (Date.now() < deadline && stack.exitCode === null) {
    if (existsSync(readyFile)) return JSON.parse(readFileSync(readyFile, 'utf8'));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the local stack did not start');
}

async function pageAfterTraffic({ broker, admin, ops, tokenEndpoint, clients }) {
  for (const client of clients) {
    const token = await tokenOf(client, tokenEndpoint);
    const authorization = `Bearer ${token}`;
    for (const _ of [1, 2]) {
      await fetch(`${broker}/v1/credentials`, { method: 'POST', headers: { authorization } });
    }
    await fetch(`${broker}/v1/caller`, { headers: { authorization } });
    await fetch(`${admin}/v1/role-mappings`, { headers: { authorization } });
  }
  await fetch(`${broker}/v1/credentials`, { method: 'POST' });
  await fetch(`${broker}/nowhere`);
  await fetch(`${ops}/readyz`);
  return await (await fetch(`${ops}/metrics`)).text();
}

async function medianScrapeMs({ ops }) {
  const samples = [];
  for (let round = 0; round < 21; round += 1) {
    const startedAt = performance.now();
    await (await fetch(`${ops}/metrics`)).text();
    samples.push(performance.now() - startedAt);
  }
  return samples.sort((a, b) => a - b)[10].toFixed(1);
}

async function tokenOf({ clientId, clientSecret }, tokenEndpoint) {
  const response = await fetch(tokenEndpoint, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: 'grant_type=client_credentials',
  });
  return (await response.json()).access_token;
}
