/**
 * Loaded into a broker that is measured: on a message of its parent it collects garbage, and answers with what is left
 * and with the longest major collection since the message before.
 */

import { constants, PerformanceObserver } from 'node:perf_hooks';

let longestMajorMs = 0;
new PerformanceObserver((list) => {
  for (const { detail, duration } of list.getEntries()) {
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) {
      longestMajorMs = Math.max(longestMajorMs, duration);
    }
  }
}).observe({ entryTypes: ['gc'] });

process.on('message', () => {
  const seen = longestMajorMs;
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  process.send({ bytes: heapUsed + external, longestMajorMs: seen });
  // The collection that was asked for is noticed in the next turn only, and does not count.
  setTimeout(() => {
    longestMajorMs = 0;
  }, 50).unref();
});
// It must not keep a broker alive that was told to stop.
process.channel.unref();
