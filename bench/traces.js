/** What traces cost callers that keep none, and those that do: brokers with and without a receiver, in turns. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { startBrokerUnderTest } from './broker-under-test.js';
import { median, note } from './figures.js';
import { post } from './raw-request.js';
import { inTurns } from './slices.js';

const callers = 64;
/** Two processes of one program differ by some per cent, whatever they are asked: so many of each are compared. */
const pairs = Number(process.env.BENCH_PAIRS ?? 6);
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
/** The most that the configuration allows. */
const maxPerSecond = 1000;
const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7';

export async function traces({ directory }) {
  const receiver = await startReceiver();
  const seen = [];
  for (let pair = 0; pair < pairs; pair += 1) {
    console.error(`Traces: pair ${pair + 1} of ${pairs} …`);
    seen.push(await comparePair(join(directory, String(pair)), receiver.endpoint));
  }
  receiver.close();
  report(seen, receiver.bytes());
}

/** A collector that takes everything. */
async function startReceiver() {
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on('data', (chunk) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.setHeader('content-type', 'application/json').end('{}'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${server.address().port}/v1/traces`,
    bytes: () => bytes,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The same requests for both; `sampled` are those of callers that keep their traces. */
async function comparePair(directory, endpoint) {
  const without = await start(join(directory, 'without'), undefined);
  const configured = await start(join(directory, 'with'), { endpoint, maxPerSecond });
  const targets = {
    without: { ...without, traceparent: `${trace}-00` },
    unsampled: { ...configured, traceparent: `${trace}-00` },
  };
  const results = await inTurns(targets, rounds);
  // Everybody says "sampled"; so many as are allowed are traced.
  const sampled = { ...configured, traceparent: `${trace}-01` };
  Object.assign(results, await inTurns({ sampled }, rounds));
  await Promise.all([without.stop(), configured.stop()]);
  return results;
}

async function start(directory, configuration) {
  const broker = await startBrokerUnderTest({
    directory,
    callers,
    stsLatencyMs: 0,
    traces: configuration,
  });
  const tokens = Array.from({ length: callers }, (_, index) => broker.token(index));
  for (const token of tokens) {
    const { status } = await post(broker.url, token);
    if (status !== 200) throw new Error(`a first request: ${status}`);
  }
  return { ...broker, tokens };
}

function report(seen, bytes) {
  const ratios = seen.map(({ without, unsampled }) => unsampled.cpuMicros / without.cpuMicros);
  const perTraced = seen.map(
    ({ unsampled, sampled: all }) =>
      ((all.cpuMicros - unsampled.cpuMicros) * all.requestsPerSecond) / maxPerSecond,
  );
  console.log(`\nTraces: POST /v1/credentials, cached credentials, ${callers} callers`);
  console.log('  CPU µs/req   not configured   nobody sampled    ratio   all sampled');
  for (const [index, { without, unsampled, sampled: all }] of seen.entries()) {
    const columns = [without.cpuMicros, unsampled.cpuMicros].map((it) => it.toFixed(1));
    console.log(
      `  pair ${index + 1} ${columns[0].padStart(17)} ${columns[1].padStart(16)} ${ratios[index].toFixed(3).padStart(8)} ${all.cpuMicros.toFixed(1).padStart(13)}`,
    );
  }
  console.log(`  ${(bytes / 2 ** 20).toFixed(0)} MiB of spans were sent`);
  const name = 'traces configured, nobody sampled: CPU over that without';
  note(`${name}, lowest pair`, Math.min(...ratios));
  note(`${name}, highest pair`, Math.max(...ratios));
  note(name, median(ratios), { atMost: 1.01 });
  note('traces: CPU µs that a traced request costs more', median(perTraced));
  const failures = seen
    .flatMap((pair) => Object.values(pair))
    .reduce((sum, result) => sum + result.failures, 0);
  note('traces: answers with another status, broken connections', failures, { atMost: 0 });
}
