/**
 * A load generator in a process of its own: keep-alive connections, one request at a time on each, requests in
 * turn from a prepared list. Each asks again as soon as it has its answer; if it is polite, a second after an answer that was
 * not the expected one, which is what Retry-After says there. Reads its orders as JSON from standard input and prints what
 * it saw as JSON: all answers, and how many came a second once everything had settled, which neither the thousands of connections to be
 * made at first are in, nor those that still wait in the end.
 */

import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';

/** @typedef {{ host: string, port: number, connections: number, seconds: number, requests: string[], status: number, polite?: boolean }} Orders */

const retryAfterMs = 1_000;
/** Before this part of the time is over nothing is settled. */
const settling = 0.25;
const orders = /** @type {Orders} */ (JSON.parse(await readAll(process.stdin)));
const requests = orders.requests.map((text) => Buffer.from(text));
const expected = { latencies: new Float64Array(4_000_000), count: 0, settled: 0 };
const others = { latencies: new Float64Array(4_000_000), count: 0, settled: 0 };
let broken = 0;
let next = 0;

const startedAt = performance.now();
const endsAt = startedAt + orders.seconds * 1000;
const settledAt = startedAt + orders.seconds * 1000 * settling;
await Promise.all(Array.from({ length: orders.connections }, runConnection));
const elapsedSeconds = (performance.now() - startedAt) / 1000;
console.log(
  JSON.stringify({
    elapsedSeconds,
    broken,
    expected: figuresOf(expected),
    others: figuresOf(others),
  }),
);

function runConnection() {
  return new Promise((resolve) => {
    const socket = connect({ host: orders.host, port: orders.port, noDelay: true });
    let pending = Buffer.alloc(0);
    let sentAt = 0;
    const send = () => {
      if (performance.now() >= endsAt) return socket.end();
      sentAt = performance.now();
      socket.write(requests[next++ % requests.length]);
    };
    socket.on('connect', send);
    const answered = (message) => {
      const isExpected = message.toString('latin1', 9, 12) === String(orders.status);
      note(isExpected ? expected : others, performance.now() - sentAt);
      if (isExpected || !orders.polite) send();
      else setTimeout(send, retryAfterMs);
    };
    socket.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const length = messageLength(pending);
      if (length === undefined || pending.length < length) return;
      const message = pending;
      pending = pending.subarray(length);
      answered(message);
    });
    socket.on('error', () => {
      broken += 1;
    });
    socket.on('close', resolve);
  });
}

function note(answers, latencyMs) {
  const now = performance.now();
  if (now >= settledAt && now < endsAt) answers.settled += 1;
  if (answers.count < answers.latencies.length) answers.latencies[answers.count] = latencyMs;
  answers.count += 1;
}

function figuresOf({ latencies, count, settled }) {
  const sorted = latencies.subarray(0, Math.min(count, latencies.length)).sort();
  const quantile = (share) => sorted[Math.floor(sorted.length * share)] ?? 0;
  const perSecond = (settled * 1000) / (endsAt - settledAt);
  return { count, perSecond, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}

/** Length of the whole first message, once its head has arrived. */
function messageLength(bytes) {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const found = /\r\ncontent-length: (\d+)/i.exec(head);
  return headEnd + 4 + Number(found?.[1] ?? 0);
}

async function readAll(stream) {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}
