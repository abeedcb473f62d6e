/**
 * What is left of the warm path under more connections than it can serve in time. Each connection asks again as soon as
 * it has its answer or, where it says polite, after the Retry-After of a refusal. The limit of the event loop's delay is low
 * here, so that a thousand connections exceed it. "Per CPU" counts what the broker serves per second of its own processor
 * time: other work on the machine shows less in it.
 */

import { join } from 'node:path';
import { startBrokerUnderTest } from './broker-under-test.js';
import { note } from './figures.js';
import { profiling } from './processes.js';
import { rawRequest } from './raw-request.js';
import { runLoad } from './run-load.js';
import { sliceSeconds, warmUpSeconds } from './slices.js';

const callers = 1000;
const few = 128;
const seconds = Number(process.env.BENCH_SLICE_SECONDS ?? 8);
const maxEventLoopDelayMs = 20;
const refusedConnections = 64;
const refusalRounds = 5;
/** Of the peak, by times of the connections that are enough for it. */
const demands = { 1: {}, 2: { atLeast: 0.9 }, 5: { atLeast: 0.8 } };

export async function overload({ directory, profileDirectory }) {
  console.error(`Preparing ${callers} callers for the overload …`);
  const broker = await startBrokerUnderTest({
    directory,
    callers,
    stsLatencyMs: 0,
    limits: { maxEventLoopDelayMs },
    nodeOptions: profiling(profileDirectory),
  });
  const requests = Array.from({ length: callers }, (_, index) =>
    rawRequest(broker.url, broker.token(index)),
  );
  await load(broker, { connections: few, requests });
  const peak = await load(broker, { connections: few, requests });
  // An answer takes about two turns of the loop: so many requests at once make each as long as it may be.
  const enough = Math.ceil((2 * peak.goodput * maxEventLoopDelayMs) / 1000);
  console.log(`\nOverload: the event loop may be late by ${maxEventLoopDelayMs} ms`);
  console.log(
    `${'load'.padEnd(34)}  connections   served/s   of peak   of peak per CPU   p50 ms   p99 ms   refused/s   refused p99`,
  );
  print('few connections', few, peak, peak);
  for (const [times, demand] of Object.entries(demands)) {
    for (const polite of [true, false]) {
      const orders = { connections: enough * Number(times), requests, polite };
      compare(`${times} x`, orders, { result: await load(broker, orders), peak, demand });
      await load(broker, { connections: few, requests, seconds: 3 });
    }
  }
  await noisyNeighbour(broker, requests, { peak, connections: enough * 5 });
  await broker.stop();
  await refusals({ directory, profileDirectory });
}

/**
 * What one costs by itself. Among thousands of connections it cannot be told apart: what is served there costs more than with a few. This broker
 * answers one request at a time, so that of those on 64 connections nearly each is refused for their number. To refuse for the loop's delay
 * costs the digest of the token more, by which askers are told apart.
 */
async function refusals({ directory, profileDirectory }) {
  const start = (name, limits) =>
    startBrokerUnderTest({
      directory: join(directory, name),
      callers: refusedConnections,
      stsLatencyMs: 0,
      limits,
      nodeOptions: profiling(profileDirectory),
    });
  const serving = await start('serving', {});
  const refusing = await start('refusing', { maxInFlight: 1 });
  const sums = { served: { cpuSeconds: 0, count: 0 }, refused: { cpuSeconds: 0, count: 0 } };
  for (let round = 0; round < refusalRounds; round += 1) {
    const [served, refused] = [await slice(serving, round), await slice(refusing, round)];
    if (round === 0) continue;
    sums.served.cpuSeconds += served.cpuSeconds;
    sums.served.count += served.expected.count;
    sums.refused.cpuSeconds += refused.cpuSeconds;
    sums.refused.count += refused.others.count;
  }
  await Promise.all([serving.stop(), refusing.stop()]);
  const of = ({ cpuSeconds, count }) => (cpuSeconds / count) * 1e6;
  note('overload: CPU µs of a refusal before Express', of(sums.refused));
  note(
    'overload: CPU of such a refusal over that of a served request',
    of(sums.refused) / of(sums.served),
    {
      atMost: 0.25,
    },
  );
}

function slice(broker, round) {
  const requests = Array.from({ length: refusedConnections }, (_, index) =>
    rawRequest(broker.url, broker.token(index)),
  );
  const orders = { connections: refusedConnections, requests };
  return load(broker, { ...orders, seconds: round === 0 ? warmUpSeconds : sliceSeconds });
}

/** What is demanded is demanded with clients that wait as they are told. */
function compare(times, { connections, polite }, { result, peak, demand }) {
  const manner = polite ? 'polite' : 'asking again at once';
  print(`${times}, ${manner}`, connections, result, peak);
  const share = result.goodput / peak.goodput;
  note(`overload, ${times} the connections, ${manner}: of the peak`, share, polite ? demand : {});
}

/** One caller on many connections, all the others on a few. */
async function noisyNeighbour(broker, [noise, ...others], { peak, connections }) {
  const [loud, quiet] = await Promise.all([
    load(broker, { connections, requests: [noise] }),
    load(broker, { connections: few, requests: others }),
  ]);
  print('one caller, asking again at once', connections, loud, peak);
  print('beside it, the others', few, quiet, peak);
  note(
    'overload: share of one noisy caller in what is served',
    loud.goodput / (loud.goodput + quiet.goodput),
  );
}

function print(name, connections, result, peak) {
  console.log(
    [
      name.padEnd(34),
      String(connections).padStart(12),
      result.goodput.toFixed(0).padStart(10),
      (result.goodput / peak.goodput).toFixed(2).padStart(9),
      (result.servedPerCpuSecond / peak.servedPerCpuSecond).toFixed(2).padStart(17),
      result.expected.p50Ms.toFixed(1).padStart(8),
      result.expected.p99Ms.toFixed(1).padStart(8),
      result.refused.toFixed(0).padStart(11),
      result.others.p99Ms.toFixed(1).padStart(13),
    ].join(' '),
  );
}

async function load(broker, orders) {
  const seen = await runLoad(broker, { seconds, ...orders });
  return {
    ...seen,
    goodput: seen.expected.count / seen.elapsedSeconds,
    refused: seen.others.count / seen.elapsedSeconds,
    servedPerCpuSecond: seen.expected.count / seen.cpuSeconds,
  };
}
