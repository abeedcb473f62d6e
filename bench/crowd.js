/**
 * Many keep-alive connections, one request at a time on each, requests in turn from a prepared list. Each asks
 * again as soon as it has its answer; if it is polite, a second after it was refused, which is what Retry-After says
 * there. Reads its orders as JSON from standard input and prints what it saw as JSON.
 */

import { connect } from 'node:net';
import { performance } from 'node:perf_hooks';

/** @typedef {{ host: string, port: number, connections: number, seconds: number, requests: string[], polite?: boolean }} Orders */

const retryAfterMs = 1_000;
const orders = /** @type {Orders} */ (JSON.parse(await readAll(process.stdin)));
const requests = orders.requests.map((text) => Buffer.from(text));
const served = [];
const refused = [];
const seen = { broken: 0 };
let next = 0;

const startedAt = performance.now();
const endsAt = startedAt + orders.seconds * 1000;
await Promise.all(Array.from({ length: orders.connections }, runConnection));
const elapsedSeconds = (performance.now() - startedAt) / 1000;
console.log(
  JSON.stringify({
    ...seen,
    elapsedSeconds,
    served: served.length,
    refused: refused.length,
    p50Ms: quantile(served, 0.5),
    p99Ms: quantile(served, 0.99),
    refusedP99Ms: quantile(refused, 0.99),
  }),
);

function runConnection() {
  return new Promise((resolve) => {
    const socket = connect({ host: orders.host, port: orders.port, noDelay: true });
    let sentAt = 0;
    const send = () => {
      if (performance.now() >= endsAt) return socket.end();
      sentAt = performance.now();
      socket.write(requests[next++ % requests.length]);
    };
    socket.on('connect', send);
    // An answer fits into one segment of loopback.
    socket.on('data', (answer) => {
      const isServed = answer.toString('latin1', 9, 12) === '200';
      (isServed ? served : refused).push(performance.now() - sentAt);
      if (isServed || !orders.polite) send();
      else setTimeout(send, retryAfterMs);
    });
    socket.on('error', () => {
      seen.broken += 1;
    });
    socket.on('close', resolve);
  });
}

function quantile(latencies, share) {
  return latencies.sort((a, b) => a - b)[Math.floor(latencies.length * share)] ?? 0;
}

async function readAll(stream) {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}
