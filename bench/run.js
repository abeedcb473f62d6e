/**
 * `npm run bench`: the warm path beside a bare node:http server and a plain Express route, then the cold path
 * against an STS with 80 ms of latency. One run on one machine; the ratios count, not the figures.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBrokerUnderTest } from './broker-under-test.js';
import { canPin, firstLine, startNode, stopProcess, usageOf } from './processes.js';

const warmCallers = 1000;
const coldCallers = 1000;
const connections = 64;
const sliceSeconds = Number(process.env.BENCH_SLICE_SECONDS ?? 4);
const rounds = 3;
const stsLatencyMs = 80;

const directory = mkdtempSync(join(tmpdir(), 'token-broker-bench-'));
try {
  await main();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function main() {
  console.log(
    `Node ${process.version}; server and load ${canPin ? 'on a core each' : 'not pinned to cores'}; ` +
      `audit: file with fdatasync; metrics on; TLS off; ${connections} connections`,
  );
  await warmPath();
  await coldPath();
}

async function warmPath() {
  console.error(`Preparing ${warmCallers} callers with a role mapping each …`);
  const broker = await startBrokerUnderTest({
    directory: join(directory, 'warm'),
    callers: warmCallers,
    stsLatencyMs: 0,
  });
  const tokens = Array.from({ length: warmCallers }, (_, index) => broker.token(index));
  const document = await (await post(broker.url, tokens[0])).json();
  const baselines = {
    bare: await startBaseline('bare', document),
    express: await startBaseline('express', document),
  };
  const targets = {
    bare: baselines.bare,
    express: baselines.express,
    broker: { child: broker.child, url: broker.url },
    // The same callers, each asking for a role that it may not have.
    denied: { child: broker.child, url: broker.url, role: 'bench-nobody', status: 403 },
  };
  console.error('Warming up …');
  for (const token of tokens) await (await post(broker.url, token)).arrayBuffer();
  const results = { bare: [], express: [], broker: [], denied: [] };
  for (const target of Object.values(targets)) await measure(target, tokens, 1);
  for (let round = 0; round < rounds; round += 1) {
    const names = Object.keys(targets);
    for (const name of round % 2 === 0 ? names : names.reverse()) {
      console.error(`Round ${round + 1} of ${rounds}: ${name} …`);
      results[name].push(await measure(targets[name], tokens, sliceSeconds));
    }
  }
  const stsCalls = broker.stsCalls();
  const records = await broker.metric('tokenbroker_audit_records_total');
  const commits = await broker.metric('tokenbroker_audit_commit_duration_seconds_count');
  const commitSeconds = await broker.metric('tokenbroker_audit_commit_duration_seconds_sum');
  await Promise.all([
    broker.stop(),
    stopProcess(baselines.bare.child),
    stopProcess(baselines.express.child),
  ]);
  report(results);
  console.log(
    `Audit: ${records} records in ${commits} commits (${(records / commits).toFixed(1)} each, ${((commitSeconds / commits) * 1000).toFixed(2)} ms on average)`,
  );
  console.log(`STS calls during the whole warm run: ${stsCalls} for ${warmCallers} callers`);
}

function report(results) {
  const medians = Object.fromEntries(
    Object.entries(results).map(([name, slices]) => [name, medianOf(slices)]),
  );
  const { bare, broker, denied } = medians;
  console.log(`\nWarm path: POST /v1/credentials, ${warmCallers} callers, cached credentials`);
  console.log(
    '            req/s   ratio   p50 ms   p99 ms   p99/bare   CPU µs/req   RSS MiB  wrong status',
  );
  for (const [name, result] of Object.entries(medians)) {
    console.log(
      [
        name.padEnd(8),
        result.requestsPerSecond.toFixed(0).padStart(9),
        (result.requestsPerSecond / bare.requestsPerSecond).toFixed(2).padStart(7),
        result.p50Ms.toFixed(2).padStart(8),
        result.p99Ms.toFixed(2).padStart(8),
        (result.p99Ms / bare.p99Ms).toFixed(2).padStart(10),
        result.cpuMicros.toFixed(0).padStart(12),
        result.rssMiB.toFixed(0).padStart(9),
        String(result.failures).padStart(12),
      ].join(' '),
    );
  }
  const rate = denied.requestsPerSecond / broker.requestsPerSecond;
  const cpu = denied.cpuMicros / broker.cpuMicros;
  console.log(
    `Denied against served: ${rate.toFixed(2)} of the throughput, ${cpu.toFixed(2)} of the CPU time`,
  );
}

async function coldPath() {
  console.error(`Preparing ${coldCallers} callers for the cold path …`);
  const broker = await startBrokerUnderTest({
    directory: join(directory, 'cold'),
    callers: coldCallers,
    stsLatencyMs,
  });
  const tokens = Array.from({ length: coldCallers }, (_, index) => broker.token(index));
  const queue = [...tokens.keys()];
  const latencies = [];
  let failures = 0;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
        const sentAt = performance.now();
        const response = await post(broker.url, tokens[index]);
        await response.arrayBuffer();
        latencies.push(performance.now() - sentAt);
        if (response.status !== 200) failures += 1;
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  await broker.stop();
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)].toFixed(1);
  console.log(
    `\nCold path: ${coldCallers} first exchanges, 16 at a time, STS answers after ${stsLatencyMs} ms`,
  );
  console.log(
    `  p50 ${at(0.5)} ms   p99 ${at(0.99)} ms   ${(coldCallers / seconds).toFixed(0)} exchanges/s   not 200: ${failures}`,
  );
}

async function startBaseline(kind, document) {
  const child = startNode(0, ['bench/baseline-server.js', kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { BENCH_DOCUMENT: JSON.stringify(document), NODE_ENV: 'production' },
  });
  const port = await firstLine(child);
  return { child, url: new URL(`http://127.0.0.1:${port}`) };
}

/** One slice of load. What else runs on the machine shows in the spread, so slices take turns. */
async function measure({ child, url, role, status = 200 }, tokens, seconds) {
  const load = startNode(1, ['bench/load.js'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const before = usageOf(child.pid);
  load.stdin.end(
    JSON.stringify({
      host: url.hostname,
      port: Number(url.port),
      connections,
      seconds,
      status,
      requests: tokens.map((token) => rawRequest(url, token, role)),
    }),
  );
  let text = '';
  load.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(load, 'close');
  const after = usageOf(child.pid);
  const seen = JSON.parse(text);
  return {
    ...seen,
    failures: seen.wrongStatus + seen.broken,
    cpuMicros: ((after?.cpuSeconds - before?.cpuSeconds) / seen.answered) * 1e6,
    rssMiB: after?.rssMiB ?? Number.NaN,
  };
}

function rawRequest(url, token, role) {
  const body = JSON.stringify({ durationSeconds: 3600, role });
  return [
    'POST /v1/credentials HTTP/1.1',
    `Host: ${url.host}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'User-Agent: bench',
    '',
    body,
  ].join('\r\n');
}

function post(url, token) {
  return fetch(new URL('/v1/credentials', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"durationSeconds":3600}',
  });
}

function medianOf(slices) {
  const of = (pick) => {
    const values = slices.map(pick).sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)];
  };
  return {
    requestsPerSecond: of((slice) => slice.requestsPerSecond),
    p50Ms: of((slice) => slice.p50Ms),
    p99Ms: of((slice) => slice.p99Ms),
    cpuMicros: of((slice) => slice.cpuMicros),
    rssMiB: of((slice) => slice.rssMiB),
    failures: slices.reduce((sum, slice) => sum + slice.failures, 0),
  };
}
