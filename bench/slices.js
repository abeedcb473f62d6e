/** Short slices of load on the warm path, and what they cost the server. */

import { median } from './figures.js';
import { rawRequest } from './raw-request.js';
import { runLoad } from './run-load.js';

export const connections = 64;
export const sliceSeconds = Number(process.env.BENCH_SLICE_SECONDS ?? 2);
/** From the first slice to the fourth second a server becomes a third faster. */
export const warmUpSeconds = 5;

/** One slice of load: cached credentials for `tokens` in turn. `role` and `traceparent` are sent if they are given. */
async function measure({ child, url, tokens, status = 200, ...more }, seconds) {
  const requests = tokens.map((token) => rawRequest(url, token, more));
  const seen = await runLoad({ child, url }, { connections, seconds, status, requests });
  return {
    requestsPerSecond: (seen.expected.count + seen.others.count) / seen.elapsedSeconds,
    p50Ms: seen.expected.p50Ms,
    p99Ms: seen.expected.p99Ms,
    failures: seen.others.count + seen.broken,
    cpuMicros: (seen.cpuSeconds / (seen.expected.count + seen.others.count)) * 1e6,
    rssMiB: seen.rssMiB,
  };
}

/** The targets by name; their slices take turns, forwards and backwards: what else runs on the machine meets all alike. */
export async function inTurns(targets, rounds) {
  const names = Object.keys(targets);
  const slices = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of names) {
    console.error(`Warming up: ${name} …`);
    await measure(targets[name], warmUpSeconds);
  }
  for (let round = 0; round < rounds; round += 1) {
    console.error(`Round ${round + 1} of ${rounds} …`);
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      slices[name].push(await measure(targets[name], sliceSeconds));
    }
  }
  return Object.fromEntries(names.map((name) => [name, medianOf(slices[name])]));
}

/** Of each figure by itself; failures of all slices together. */
function medianOf(slices) {
  const of = (pick) => median(slices.map(pick));
  return {
    requestsPerSecond: of((slice) => slice.requestsPerSecond),
    p50Ms: of((slice) => slice.p50Ms),
    p99Ms: of((slice) => slice.p99Ms),
    cpuMicros: of((slice) => slice.cpuMicros),
    rssMiB: of((slice) => slice.rssMiB),
    failures: slices.reduce((sum, slice) => sum + slice.failures, 0),
  };
}
