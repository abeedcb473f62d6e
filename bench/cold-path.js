/** First exchanges, each of a caller that was never seen: at a steady rate of arrivals, then as many as one core can. */

import { startBrokerUnderTest } from './broker-under-test.js';
import { note } from './figures.js';
import { usageOf } from './processes.js';
import { post } from './raw-request.js';

const stsLatencyMs = 80;
const arrivals = { callers: 600, perSecond: 60 };
const saturation = { callers: 1400, atOnce: 64 };
const warmUpCallers = 200;

export async function coldPath({ directory }) {
  const callers = warmUpCallers + arrivals.callers + saturation.callers;
  console.error(`Preparing ${callers} callers for the cold path …`);
  const broker = await startBrokerUnderTest({ directory, callers, stsLatencyMs });
  const failures = { count: 0 };
  const ask = (index) => latencyOf(broker, index, failures);
  const indices = Array.from({ length: callers }, (_, index) => index);
  await atOnce(ask, indices.splice(0, warmUpCallers), 16);

  console.error(`Cold path: ${arrivals.perSecond} arrivals a second …`);
  const open = await atRate(ask, indices.splice(0, arrivals.callers), arrivals.perSecond);
  console.error(`Cold path: ${saturation.atOnce} at a time …`);
  const before = usageOf(broker.child.pid);
  const startedAt = performance.now();
  const full = await atOnce(ask, indices, saturation.atOnce);
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuMs = ((usageOf(broker.child.pid).cpuSeconds - before.cpuSeconds) * 1000) / full.length;
  await broker.stop();

  const rate = `${arrivals.perSecond} arrivals a second`;
  note(`cold, ${rate}: p50 over STS's ${stsLatencyMs} ms, ms`, quantile(open, 0.5) - stsLatencyMs, {
    atMost: 5,
  });
  note(`cold, ${rate}: p99 over STS's ${stsLatencyMs} ms, ms`, quantile(open, 0.99) - stsLatencyMs);
  note('cold: CPU ms of an exchange, SDK included', cpuMs);
  note('cold: exchanges per second of CPU', 1000 / cpuMs, { atLeast: 400 });
  note(`cold, ${saturation.atOnce} at a time: exchanges per second`, full.length / seconds);
  note('cold: answers other than 200', failures.count, { atMost: 0 });
}

/** One after the other, whether those before have their answers or not. */
function atRate(ask, callers, perSecond) {
  return Promise.all(
    callers.map(async (index, at) => {
      await new Promise((resolve) => setTimeout(resolve, (at * 1000) / perSecond));
      return ask(index);
    }),
  );
}

/** So many at a time. */
export async function atOnce(ask, callers, connections) {
  const queue = [...callers];
  const latencies = [];
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
        latencies.push(await ask(index));
      }
    }),
  );
  return latencies;
}

/** Milliseconds until the answer was there. */
async function latencyOf(broker, index, failures) {
  const sentAt = performance.now();
  const response = await post(broker.url, broker.token(index));
  await response.arrayBuffer();
  if (response.status !== 200) failures.count += 1;
  return performance.now() - sentAt;
}

function quantile(values, share) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)];
}
