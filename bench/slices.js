/** Short slices of load on the warm path, and what they cost the server. */

import { rawRequest } from './raw-request.js';
import { runLoad } from './run-load.js';

export const connections = 64;
export const sliceSeconds = Number(process.env.BENCH_SLICE_SECONDS ?? 2);
/** From the first slice to the fourth second a server becomes a third faster. */
export const warmUpSeconds = 5;

/** One slice of load: cached credentials for `tokens` in turn. `role` and `traceparent` are sent if they are given. */
export async function measure({ child, url, tokens, status = 200, ...more }, seconds) {
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

/** Of each figure by itself; failures of all slices together. */
export function medianOf(slices) {
  const of = (pick) => {
    const values = slices.map(pick).sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)];
  };
  return {
    requestsPerSecond: of((slice) => slice.requestsPerSecond),
    p50Ms: of((slice) => slice.p50Ms),
    p99Ms: of((slice) => slice.p99Ms),
    cpuMicros: of((slice) => slice.cpuMicros),
    rssMiB: of((slice) => slice.rssMiB),
    failures: slices.reduce((sum, slice) => sum + slice.failures, 0),
  };
}
