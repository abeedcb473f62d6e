/** Cached credentials: what one request costs, beside servers that do nothing of what the broker does. */

import { once } from 'node:events';
import { startBrokerUnderTest } from './broker-under-test.js';
import { note } from './figures.js';
import { firstLine, measuredVersion, startNode, stopProcess, usageOf } from './processes.js';

const callers = 1000;
const connections = 64;
const sliceSeconds = Number(process.env.BENCH_SLICE_SECONDS ?? 2);
/** From the first slice to the fourth second a server becomes a third faster. */
const warmUpSeconds = 5;
const rounds = Number(process.env.BENCH_ROUNDS ?? 9);
/** Of bare's CPU time per request over ours. */
const demands = /^v2[0-3]\./.test(measuredVersion)
  ? { share64: { atLeast: 0.5 }, share1000: { atLeast: 0.45 } }
  : { share64: { atLeast: 0.55 }, share1000: { atLeast: 0.5 } };

export async function warmPath({ directory, profileDirectory }) {
  console.error(`Preparing ${callers} callers with a role mapping each …`);
  const broker = await startBrokerUnderTest({
    directory,
    callers,
    stsLatencyMs: 0,
    nodeOptions:
      profileDirectory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`],
  });
  const tokens = Array.from({ length: callers }, (_, index) => broker.token(index));
  let document;
  for (const token of tokens) document = await (await post(broker.url, token)).json();
  const baselines = {
    bare: await startBaseline('bare', document),
    express: await startBaseline('express', document),
  };
  const ours = { child: broker.child, url: broker.url };
  const targets = {
    bare: { ...baselines.bare, tokens },
    express: { ...baselines.express, tokens },
    '1 caller': { ...ours, tokens: tokens.slice(0, 1) },
    '64 callers': { ...ours, tokens: tokens.slice(0, 64) },
    '1000 callers': { ...ours, tokens },
    // Each asks for a role that it may not have.
    denied: { ...ours, tokens, role: 'bench-nobody', status: 403 },
  };
  const results = await inTurns(targets);
  const stsCalls = await broker.stsCalls();
  const records = await broker.metric('tokenbroker_audit_records_total');
  const commits = await broker.metric('tokenbroker_audit_commit_duration_seconds_count');
  await Promise.all([
    broker.stop(),
    stopProcess(baselines.bare.child),
    stopProcess(baselines.express.child),
  ]);
  report(results);
  console.log(
    `Audit: ${records} records in ${commits} commits; STS: ${stsCalls} calls for ${callers} callers`,
  );
}

/** Slices take turns, forwards and backwards: what else runs on the machine meets all alike. */
async function inTurns(targets) {
  const names = Object.keys(targets);
  const slices = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of names) {
    console.error(`Warming up: ${name} …`);
    await measure(targets[name], warmUpSeconds);
  }
  for (let round = 0; round < rounds; round += 1) {
    console.error(`Round ${round + 1} of ${rounds} …`);
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      slices[name].push(await measure(targets[name], sliceSeconds));
    }
  }
  return Object.fromEntries(names.map((name) => [name, medianOf(slices[name])]));
}

function report(results) {
  const { bare } = results;
  console.log(`\nWarm path: POST /v1/credentials, cached credentials, ${connections} connections`);
  console.log(
    '                CPU µs/req  bare/it     req/s    ratio   p50 ms   p99 ms  p99/bare  RSS MiB  failed',
  );
  for (const [name, result] of Object.entries(results)) {
    console.log(
      [
        name.padEnd(14),
        result.cpuMicros.toFixed(1).padStart(11),
        (bare.cpuMicros / result.cpuMicros).toFixed(2).padStart(8),
        result.requestsPerSecond.toFixed(0).padStart(9),
        (result.requestsPerSecond / bare.requestsPerSecond).toFixed(2).padStart(8),
        result.p50Ms.toFixed(2).padStart(8),
        result.p99Ms.toFixed(2).padStart(8),
        (result.p99Ms / bare.p99Ms).toFixed(2).padStart(9),
        result.rssMiB.toFixed(0).padStart(8),
        String(result.failures).padStart(7),
      ].join(' '),
    );
  }
  const { '1 caller': one, '64 callers': some, '1000 callers': many, denied } = results;
  const shareOf = ({ cpuMicros }) => bare.cpuMicros / cpuMicros;
  note("warm, 1 caller: bare's CPU per request over ours", shareOf(one));
  note("warm, 64 callers: bare's CPU per request over ours", shareOf(some), demands.share64);
  note("warm, 1,000 callers: bare's CPU per request over ours", shareOf(many), demands.share1000);
  note("warm, 64 callers: p99 over bare's", some.p99Ms / bare.p99Ms, { atMost: 2.5 });
  note(
    'warm: CPU of a denied request over that of a served one',
    denied.cpuMicros / many.cpuMicros,
    {
      atMost: 1.1,
    },
  );
  const failures = Object.values(results).reduce((sum, result) => sum + result.failures, 0);
  note('warm: answers with another status, broken connections', failures, { atMost: 0 });
}

async function startBaseline(kind, document) {
  const child = startNode(0, ['bench/baseline-server.js', kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { BENCH_DOCUMENT: JSON.stringify(document), NODE_ENV: 'production' },
  });
  const port = await firstLine(child);
  return { child, url: new URL(`http://127.0.0.1:${port}`) };
}

/** One slice of load. */
async function measure({ child, url, tokens, role, status = 200 }, seconds) {
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
