/**
 * What is left of the warm path under more connections than it can serve in time. Each connection asks again as soon as
 * it has its answer or, where it says polite, after the Retry-After of a refusal. The limit of the event loop's delay is low
 * here, so that a thousand connections exceed it. "Per CPU" counts what the broker serves per second of its own processor
 * time: other work on the machine shows less in it.
 */

import { join } from 'node:path';
import { startBrokerUnderTest } from './broker-under-test.js';
import { median, note } from './figures.js';
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
const demands = { 2: { atLeast: 0.9 }, 5: { atLeast: 0.8 } };

export async function overload({ directory, profileDirectory }) {
  console.error(`Preparing ${callers} callers for the overload …`);
  const nodeOptions = profiling(profileDirectory);
  const broker = await startBrokerUnderTest({
    directory,
    callers,
    stsLatencyMs: 0,
    limits: { maxEventLoopDelayMs },
    nodeOptions,
  });
  const requests = Array.from({ length: callers }, (_, index) =>
    rawRequest(broker.url, broker.token(index)),
  );
  await load(broker, { connections: few, requests });
  const atFew = await load(broker, { connections: few, requests });
  // An answer takes about two turns of the loop: so many requests at once make each as long as it may be.
  const enough = Math.ceil((2 * atFew.goodput * maxEventLoopDelayMs) / 1000);
  const atEnough = await load(broker, { connections: enough, requests, polite: true });
  // Where the disk is slow a few connections wait for it more than for the processor.
  const peak = atEnough.goodput > atFew.goodput ? atEnough : atFew;
  console.log(`\nOverload: the event loop may be late by ${maxEventLoopDelayMs} ms`);
  console.log(
    `${'load'.padEnd(34)}  connections   served/s   of peak   of peak per CPU   p50 ms   p99 ms   refused/s   refused p99`,
  );
  print('few connections', few, atFew, peak);
  print('enough connections, polite', enough, atEnough, peak);
  for (const [times, demand] of Object.entries(demands)) {
    for (const polite of [true, false]) {
      const orders = { connections: enough * Number(times), requests, polite };
      compare(`${times} x`, orders, { result: await load(broker, orders), peak, demand });
      await load(broker, { connections: few, requests, seconds: 3 });
    }
  }
  await noisyNeighbour(broker, requests, { peak, connections: enough * 5 });
  await refusals(broker, requests, { directory: join(directory, 'refusing'), nodeOptions });
  await broker.stop();
}

/**
 * What one costs by itself. Among thousands of connections it cannot be told apart: what is served there costs more than with a few. Beside
 * the broker that serves there is one that answers one request at a time, so that of those on 64 connections nearly each is refused for their
 * number. To refuse for the loop's delay costs the digest of the token more, by which askers are told apart.
 */
async function refusals(serving, requests, { directory, nodeOptions }) {
  const refusing = await startBrokerUnderTest({
    directory,
    callers: refusedConnections,
    stsLatencyMs: 0,
    limits: { maxInFlight: 1 },
    nodeOptions,
  });
  const refused = Array.from({ length: refusedConnections }, (_, index) =>
    rawRequest(refusing.url, refusing.token(index)),
  );
  const slice = (broker, sent, forSeconds = sliceSeconds) =>
    load(broker, { connections: refusedConnections, requests: sent, seconds: forSeconds });
  await slice(refusing, refused, warmUpSeconds);
  const ratios = [];
  for (let round = 0; round < refusalRounds; round += 1) {
    const { cpuSeconds, expected } = await slice(serving, requests);
    const servedSeconds = cpuSeconds / expected.count;
    const all = await slice(refusing, refused);
    ratios.push((all.cpuSeconds / servedSeconds - all.expected.count) / all.others.count);
  }
  await refusing.stop();
  note('overload: CPU of a refusal before Express over that of a served request', median(ratios), {
    atMost: 0.25,
  });
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
    goodput: seen.expected.perSecond,
    refused: seen.others.perSecond,
    servedPerCpuSecond: seen.expected.count / seen.cpuSeconds,
  };
}
