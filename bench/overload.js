/**
 * `npm run bench:overload`: what is left of the warm path under more connections than it can serve in time. Each
 * connection asks again as soon as it has its answer (or, where it says polite, after the Retry-After of a
 * refusal). The limit of the event loop's delay is low here, so that a thousand connections exceed it. "Per CPU"
 * counts what the broker serves per second of its own processor time: other work on the machine shows less in it.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBrokerUnderTest } from './broker-under-test.js';
import { startNode, usageOf } from './processes.js';

const callers = 1000;
const few = 128;
const seconds = Number(process.env.BENCH_SLICE_SECONDS ?? 8);
const maxEventLoopDelayMs = 20;

const directory = mkdtempSync(join(tmpdir(), 'token-broker-bench-'));
try {
  await main();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function main() {
  console.error(`Preparing ${callers} callers with a role mapping each …`);
  const broker = await startBrokerUnderTest({
    directory,
    callers,
    stsLatencyMs: 0,
    limits: { maxEventLoopDelayMs },
  });
  const requests = Array.from({ length: callers }, (_, index) => rawRequest(broker, index));
  await load(broker, { connections: few, requests });
  const peak = await load(broker, { connections: few, requests });
  // An answer takes about two turns of the loop: so many requests at once make each as long as it may be.
  const enough = Math.ceil((2 * peak.goodput * maxEventLoopDelayMs) / 1000);
  console.log(`Node ${process.version}; event loop may be late by ${maxEventLoopDelayMs} ms`);
  console.log(
    `\n${'load'.padEnd(34)}  connections   served/s   of peak   of peak per CPU   p50 ms   p99 ms   refused/s   refused p99`,
  );
  print('few connections', few, peak, peak);
  for (const times of [1, 2, 5]) {
    for (const polite of [false, true]) {
      const connections = enough * times;
      const result = await load(broker, { connections, requests, polite });
      print(`${times} x, ${polite ? 'polite' : 'asking again at once'}`, connections, result, peak);
      await load(broker, { connections: few, requests, seconds: 3 });
    }
  }
  await noisyNeighbour(broker, requests, { peak, connections: enough * 5 });
  await broker.stop();
}

/** One caller on many connections, all the others on a few. */
async function noisyNeighbour(broker, [noise, ...others], { peak, connections }) {
  const [loud, quiet] = await Promise.all([
    load(broker, { connections, requests: [noise] }),
    load(broker, { connections: few, requests: others }),
  ]);
  print('one caller, asking again at once', connections, loud, peak);
  print('beside it, the others', few, quiet, peak);
  const share = loud.goodput / (loud.goodput + quiet.goodput);
  console.log(`share of that one caller in what is served: ${(share * 100).toFixed(0)} %`);
}

function print(name, connections, result, peak) {
  console.log(
    [
      name.padEnd(34),
      String(connections).padStart(12),
      result.goodput.toFixed(0).padStart(10),
      (result.goodput / peak.goodput).toFixed(2).padStart(9),
      (result.servedPerCpuSecond / peak.servedPerCpuSecond).toFixed(2).padStart(17),
      result.p50Ms.toFixed(1).padStart(8),
      result.p99Ms.toFixed(1).padStart(8),
      result.refused.toFixed(0).padStart(11),
      result.refusedP99Ms.toFixed(1).padStart(13),
    ].join(' '),
  );
}

async function load({ child, url }, { seconds: duration = seconds, ...orders }) {
  const generator = startNode(1, ['bench/crowd.js'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const before = usageOf(child.pid);
  generator.stdin.end(
    JSON.stringify({ host: url.hostname, port: Number(url.port), seconds: duration, ...orders }),
  );
  let text = '';
  generator.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await once(generator, 'close');
  const after = usageOf(child.pid);
  const seen = JSON.parse(text);
  return {
    ...seen,
    goodput: seen.served / seen.elapsedSeconds,
    refused: seen.refused / seen.elapsedSeconds,
    servedPerCpuSecond: seen.served / (after?.cpuSeconds - before?.cpuSeconds),
  };
}

function rawRequest({ url, token }, index) {
  const body = '{"durationSeconds":3600}';
  return [
    'POST /v1/credentials HTTP/1.1',
    `Host: ${url.host}`,
    `Authorization: Bearer ${token(index)}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}
