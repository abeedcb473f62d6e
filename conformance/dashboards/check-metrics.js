/** Runs the local stack, causes some of everything, and has `promtool check metrics` read the metrics page. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startLocalStack } from '../local-stack.js';

const maxSeries = 2_000;

if (spawnSync('promtool', ['--version']).error !== undefined) {
  console.error('promtool is not installed; Debian has it in the package "prometheus".');
  process.exit(1);
}
if (!existsSync(fileURLToPath(new URL('../../build/emulators/main.js', import.meta.url)))) {
  console.error('build/ is not there; run "node scripts/prepare.js --build" first.');
  process.exit(1);
}

const stack = await startLocalStack();
try {
  const page = await pageAfterTraffic(stack);
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: page });
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  const series = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  console.log(
    `promtool check metrics: ${status === 0 ? 'ok' : 'failed'}, ${series.length} series, scraped in ${await medianScrapeMs(stack.urls)} ms`,
  );
  process.exitCode = status === 0 && series.length <= maxSeries ? 0 : 1;
} finally {
  await stack.stop();
}

async function pageAfterTraffic({ urls: { broker, admin, ops }, clients, token }) {
  for (const client of clients) {
    const authorization = `Bearer ${await token(client)}`;
    for (const _ of [1, 2]) {
      await fetch(`${broker}/v1/credentials`, { method: 'POST', headers: { authorization } });
    }
    await fetch(`${broker}/v1/caller`, { headers: { authorization } });
    await fetch(`${admin}/v1/role-mappings`, { headers: { authorization } });
  }
  await fetch(`${broker}/v1/credentials`, { method: 'POST' });
  const authorization = 'Bearer none';
  await fetch(`${broker}/v1/credentials`, { method: 'POST', headers: { authorization } });
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
