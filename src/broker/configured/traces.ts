/** Traces as configuration describes them. */

import type { Config } from '../../config/schema.ts';
import { atMostEvery } from '../../kit/rates/at-most-every.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { RequestTraces } from '../../telemetry/request-traces.ts';
import { TraceExport } from '../../telemetry/trace-export.ts';

export interface ConfiguredTraces {
  readonly requests: RequestTraces;
  readonly exporter: TraceExport;
}

export interface ConfiguredTracesOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly version: string;
}

const logIntervalMs = 10_000;

/** Undefined where the configuration has none. */
export function configuredTraces(
  { traces }: Config,
  { clock, metrics, logger, version }: ConfiguredTracesOptions,
): ConfiguredTraces | undefined {
  if (traces === undefined) return undefined;
  const { endpoint, maxPerSecond, timeoutMs } = traces;
  const mayLog = atMostEvery(logIntervalMs, clock);
  const exporter = new TraceExport({
    endpoint,
    version,
    clock,
    timeoutMs,
    onSpans: (result, spans) => metrics.traceSpans.inc({ result }, spans),
    onFailure(failure) {
      if (mayLog(failure.reason)) {
        logger.warn(failure, 'traces are dropped; repeated at most every ten seconds');
      }
    },
  });
  const requests = new RequestTraces({
    clock,
    maxPerSecond,
    onTrace: (trace) => exporter.accept(trace),
    onResult: (result) => metrics.tracedRequests.inc({ result }),
  });
  return { requests, exporter };
}
