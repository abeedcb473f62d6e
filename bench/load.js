/**
 * A load generator in a process of its own: keep-alive connections, one request at a time on each, requests in
 * turn from a prepared list. Reads its orders as JSON from standard input and prints what it saw as JSON.
 */

import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';

/** @typedef {{ host: string, port: number, connections: number, seconds: number, requests: string[], status: number }} Orders */

const orders = /** @type {Orders} */ (JSON.parse(await readAll(process.stdin)));
const requests = orders.requests.map((text) => Buffer.from(text));
const latencies = new Float64Array(4_000_000);
const seen = { answered: 0, wrongStatus: 0, broken: 0 };
let next = 0;

const startedAt = performance.now();
const endsAt = startedAt + orders.seconds * 1000;
await Promise.all(Array.from({ length: orders.connections }, runConnection));
const elapsedSeconds = (performance.now() - startedAt) / 1000;

const sorted = latencies.subarray(0, Math.min(seen.answered, latencies.length)).sort();
console.log(
  JSON.stringify({
    ...seen,
    requestsPerSecond: seen.answered / elapsedSeconds,
    p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    maxMs: sorted.at(-1) ?? 0,
  }),
);

function runConnection() {
  return new Promise((resolve) => {
    const socket = connect({ host: orders.host, port: orders.port, noDelay: true });
    let pending = Buffer.alloc(0);
    let sentAt = 0;
    const send = () => {
      const request = requests[next % requests.length];
      next += 1;
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const length = messageLength(pending);
      if (length === undefined || pending.length < length) return;
      const now = performance.now();
      note(pending, now - sentAt);
      pending = pending.subarray(length);
      if (now >= endsAt) socket.end();
      else send();
    });
    socket.on('error', () => {
      seen.broken += 1;
    });
    socket.on('close', resolve);
  });
}

function note(message, latencyMs) {
  if (message.toString('latin1', 9, 12) !== String(orders.status)) seen.wrongStatus += 1;
  if (seen.answered < latencies.length) latencies[seen.answered] = latencyMs;
  seen.answered += 1;
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
