/** Cached credentials: what one request costs, beside servers that do nothing of what the broker does. */

import { join } from 'node:path';
import { startBrokerUnderTest } from './broker-under-test.js';
import { note } from './figures.js';
import { firstLine, measuredVersion, profiling, startNode, stopProcess } from './processes.js';
import { post } from './raw-request.js';
import { connections, inTurns } from './slices.js';

const callers = 1000;
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
    nodeOptions: profiling(profileDirectory),
  });
  const tokens = Array.from({ length: callers }, (_, index) => broker.token(index));
  let document;
  for (const token of tokens) document = await (await post(broker.url, token)).json();
  const baselines = {
    bare: await startBaseline('bare', document),
    express: await startBaseline('express', document),
  };
  const ours = { child: broker.child, url: broker.url };
  const issuing = await startIssuing(directory);
  const targets = {
    bare: { ...baselines.bare, tokens },
    express: { ...baselines.express, tokens },
    '1 caller': { ...ours, tokens: tokens.slice(0, 1) },
    '64 callers': { ...ours, tokens: tokens.slice(0, 64) },
    // The same, with tokens of the broker shown to STS.
    'its identity': { child: issuing.child, url: issuing.url, tokens: issuing.tokens },
    '1000 callers': { ...ours, tokens },
    // Each asks for a role that it may not have.
    denied: { ...ours, tokens, role: 'bench-nobody', status: 403 },
  };
  const results = await inTurns(targets, rounds);
  const stsCalls = await broker.stsCalls();
  const records = await broker.metric('tokenbroker_audit_records_total');
  const commits = await broker.metric('tokenbroker_audit_commit_duration_seconds_count');
  await Promise.all([
    broker.stop(),
    issuing.stop(),
    stopProcess(baselines.bare.child),
    stopProcess(baselines.express.child),
  ]);
  report(results);
  console.log(
    `Audit: ${records} records in ${commits} commits; STS: ${stsCalls} calls for ${callers} callers`,
  );
}

/** Another broker, whose every session was made by a token of its own. */
async function startIssuing(directory) {
  const broker = await startBrokerUnderTest({
    directory: join(directory, 'issuing'),
    callers: 64,
    stsLatencyMs: 0,
    identity: 'broker',
  });
  const tokens = Array.from({ length: 64 }, (_, index) => broker.token(index));
  for (const token of tokens) {
    // A disk that others keep busy refuses one now and then.
    let status = 0;
    for (let tries = 0; status !== 200 && tries < 5; tries += 1) {
      ({ status } = await post(broker.url, token));
    }
    if (status !== 200) throw new Error(`with the identity of the broker: ${status}`);
  }
  return { ...broker, tokens };
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
  const { 'its identity': own } = results;
  const shareOf = ({ cpuMicros }) => bare.cpuMicros / cpuMicros;
  note("warm, 1 caller: bare's CPU per request over ours", shareOf(one));
  note("warm, 64 callers: bare's CPU per request over ours", shareOf(some), demands.share64);
  note("warm, 1,000 callers: bare's CPU per request over ours", shareOf(many), demands.share1000);
  note(
    "warm, 64 callers: CPU with the broker's identity over that without",
    own.cpuMicros / some.cpuMicros,
    { atMost: 1.1 },
  );
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
