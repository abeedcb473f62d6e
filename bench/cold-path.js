/**
 * First exchanges, each of a caller that was never seen: as many as one core can, beside the SDK's own calls, and then at a steady rate of
 * arrivals, beside a client that asks STS itself: whatever holds up both is no part of what the broker adds.
 */

import { once } from 'node:events';
import { atOnce } from './at-once.js';
import { startBrokerUnderTest } from './broker-under-test.js';
import { note } from './figures.js';
import { profiling, startNode, stopProcess, usageOf } from './processes.js';
import { post, postToSts } from './raw-request.js';

const stsLatencyMs = 80;
const rounds = 5;
/** In each round. */
const saturation = { callers: 280, atOnce: 64 };
const arrivals = { callers: 120, perSecond: 60 };
/** After as many a server is as quick as it gets. */
const warmUpCallers = 800;

export async function coldPath({ directory, profileDirectory }) {
  const callers = warmUpCallers + rounds * (saturation.callers + arrivals.callers);
  console.error(`Preparing ${callers} callers for the cold path …`);
  const broker = await startBrokerUnderTest({
    directory,
    callers,
    stsLatencyMs,
    nodeOptions: profiling(profileDirectory),
  });
  const failures = { count: 0 };
  const exchanges = exchangesOf(broker, failures);
  const sdk = startSdk(broker, failures);
  const indices = Array.from({ length: callers }, (_, index) => index);
  const warmUp = indices.splice(0, warmUpCallers);
  await exchanges.saturate(warmUp);
  await sdk.saturate(warmUp);

  const full = { exchanges: [], sdk: [] };
  const open = { broker: [], sts: [] };
  const commits = { seconds: 0, count: 0 };
  for (let round = 0; round < rounds; round += 1) {
    console.error(`Cold path: round ${round + 1} of ${rounds} …`);
    const some = indices.splice(0, saturation.callers);
    full.exchanges.push(await measured(broker.child, () => exchanges.saturate(some)));
    full.sdk.push(await measured(sdk.child, () => sdk.saturate(some)));
    const more = indices.splice(0, arrivals.callers);
    const before = await commitsOf(broker);
    open.broker.push(...(await atRate(exchanges.latencyOf, more)));
    const after = await commitsOf(broker);
    commits.seconds += after.seconds - before.seconds;
    commits.count += after.count - before.count;
    open.sts.push(...(await atRate(stsLatencyOf(broker, failures), more)));
  }
  await Promise.all([broker.stop(), stopProcess(sdk.child)]);
  report({ full, open, commits, failures });
}

function report({ full, open, commits, failures }) {
  const exchange = total(full.exchanges);
  const cpuMs = exchange.cpuMs / exchange.count;
  const sdk = total(full.sdk);
  const sdkMs = sdk.cpuMs / sdk.count;
  note("cold: CPU ms of the SDK's own call", sdkMs);
  note("cold: CPU ms of an exchange over the SDK's own call", cpuMs - sdkMs, { atMost: 1.5 });
  note('cold: exchanges per second of CPU', 1000 / cpuMs, { atLeast: 400 });
  note(
    `cold, ${saturation.atOnce} at a time: exchanges per second`,
    (exchange.count * 1000) / exchange.elapsedMs,
  );
  const rate = `${arrivals.perSecond} arrivals a second`;
  const over = (share) => quantile(open.broker, share) - quantile(open.sts, share);
  note(`cold, ${rate}: p50 of STS itself, ms`, quantile(open.sts, 0.5));
  note(`cold, ${rate}: p50 over it, ms`, over(0.5), { atMost: 5 });
  note(`cold, ${rate}: p99 over it, ms`, over(0.99));
  // Most of it is the disk's: the record is durable before the credentials leave.
  note(`cold, ${rate}: an audit commit, ms`, (commits.seconds * 1000) / commits.count);
  note('cold: answers other than 200', failures.count, { atMost: 0 });
}

async function commitsOf(broker) {
  const name = 'tokenbroker_audit_commit_duration_seconds';
  const [seconds, count] = [
    await broker.metric(`${name}_sum`),
    await broker.metric(`${name}_count`),
  ];
  return { seconds, count };
}

function exchangesOf(broker, failures) {
  const latencyOf = (index) => timed(() => post(broker.url, broker.token(index)), failures);
  return {
    latencyOf,
    saturate: (callers) => atOnce(latencyOf, callers, saturation.atOnce),
  };
}

function startSdk(broker, failures) {
  const child = startNode(0, ['bench/sdk-calls.js'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' },
  });
  return {
    child,
    async saturate(callers) {
      const calls = callers.map((index) => callOf(broker, index));
      child.send({ endpoint: broker.sts, calls, connections: saturation.atOnce });
      const [{ failed }] = await once(child, 'message');
      failures.count += failed;
      return callers;
    },
  };
}

function stsLatencyOf(broker, failures) {
  return (index) => timed(() => postToSts(broker.sts, callOf(broker, index)), failures);
}

function callOf(broker, index) {
  return { roleArn: broker.roleOf(index), token: broker.token(index) };
}

async function measured({ pid }, work) {
  const before = usageOf(pid);
  const startedAt = performance.now();
  const { length } = await work();
  return {
    count: length,
    elapsedMs: performance.now() - startedAt,
    cpuMs: (usageOf(pid)?.cpuSeconds - before?.cpuSeconds) * 1000,
  };
}

function total(slices) {
  const of = (pick) => slices.reduce((sum, slice) => sum + pick(slice), 0);
  return {
    count: of(({ count }) => count),
    elapsedMs: of(({ elapsedMs }) => elapsedMs),
    cpuMs: of(({ cpuMs }) => cpuMs),
  };
}

/** One after the other, whether those before have their answers or not. */
function atRate(ask, callers) {
  return Promise.all(
    callers.map(async (index, at) => {
      await new Promise((resolve) => setTimeout(resolve, (at * 1000) / arrivals.perSecond));
      return ask(index);
    }),
  );
}

/** Milliseconds until the answer was there. */
async function timed(ask, failures) {
  const sentAt = performance.now();
  const response = await ask();
  await response.arrayBuffer();
  if (response.status !== 200) failures.count += 1;
  return performance.now() - sentAt;
}

function quantile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)];
}
