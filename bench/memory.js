/** What a cached session takes, with the token, the decision and the printed texts that come with it. */

import { once } from 'node:events';
import { atOnce } from './at-once.js';
import { startBrokerUnderTest } from './broker-under-test.js';
import { note } from './figures.js';
import { post, rawRequest } from './raw-request.js';
import { runLoad } from './run-load.js';

/** Of a caller each. With the first ones fewer than the tokens that are remembered, or each request would bring a caller anew. */
const sessions = Number(process.env.BENCH_SESSIONS ?? 9_000);
/** Before it is counted: what the first callers bring is brought once. */
const first = 500;

export async function memory({ directory }) {
  const callers = first + sessions;
  console.error(`Preparing ${callers} callers for the memory …`);
  const broker = await startBrokerUnderTest({
    directory,
    callers,
    stsLatencyMs: 0,
    cache: { maxEntries: 2 * callers, maxBytes: 1_073_741_824 },
    nodeOptions: ['--expose-gc', '--import', './bench/heap-probe.js'],
  });
  const tokens = Array.from({ length: callers }, (_, index) => broker.token(index));
  await askOnce(broker, tokens.slice(0, first));
  const before = await state(broker);
  console.error(`Making ${sessions} sessions …`);
  await askOnce(broker, tokens.slice(first));
  // Each is used again, however slow the machine is: what a second request leaves counts too.
  await askOnce(broker, tokens);
  const requests = tokens.map((token) => rawRequest(broker.url, token));
  await runLoad(broker, { connections: 64, seconds: 5, requests });
  const after = await state(broker);
  await broker.stop();

  const made = after.entries - before.entries;
  const bytesEach = (after.bytes - before.bytes) / made;
  console.log(`\nMemory: ${made} sessions, ${(after.bytes / 2 ** 20).toFixed(0)} MiB in all`);
  note('memory: sessions that were made', made, { atLeast: sessions });
  note('memory: bytes of a cached session, all told', bytesEach, { atMost: 5 * 1024 });
  note(
    'memory: cache_bytes over the truth',
    (after.estimate - before.estimate) / made / bytesEach,
    {
      atLeast: 0.8,
      atMost: 1.2,
    },
  );
  note('memory: longest major collection, ms', after.longestMajorMs, { atMost: 100 });
}

async function askOnce(broker, tokens) {
  const ask = async (token) => (await post(broker.url, token)).arrayBuffer();
  await atOnce(ask, tokens, 32);
}

async function state(broker) {
  const entries = await broker.metric('tokenbroker_credential_cache_entries');
  const estimate = await broker.metric('tokenbroker_credential_cache_bytes');
  broker.child.send('how much?');
  const [heap] = await once(broker.child, 'message');
  return { entries, estimate, ...heap };
}
