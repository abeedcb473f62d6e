/** Traces as OTLP over HTTP has them in JSON: the only file that knows OpenTelemetry, loaded where traces are configured. */

import {
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace';
import type { FinishedTrace, Span } from './request-traces.ts';

export interface TracedService {
  readonly version: string;
  /** Tells one process from the next. */
  readonly instanceId: string;
}

/** An ExportTraceServiceRequest: opentelemetry-proto 1.x, `application/json`. */
export type PrintTraces = (traces: readonly FinishedTrace[]) => string;

const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };
const maxValueLength = 256;

/**
 * Everything that the SDK would otherwise ask the environment for, or register for the whole process, is given here or left out: it is
 * used to make spans and nothing else.
 */
export function tracePrinter({ version, instanceId }: TracedService): PrintTraces {
  let ended: ReadableSpan[] = [];
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': 'token-broker',
      'service.version': version,
      'service.instance.id': instanceId,
    }),
    // Who is followed was decided before.
    sampler: new AlwaysOnSampler(),
    spanLimits: { attributeValueLengthLimit: maxValueLength },
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: (span) => void ended.push(span),
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve(),
      },
    ],
  });
  const tracer = provider.getTracer('token-broker', version);
  const make = (span: Span, parent: SpanContext): SpanContext => {
    const { name, kind, startMs, endMs, failed } = span;
    const attributes = Object.fromEntries(
      Object.entries(span.attributes).map(([key, value]) => [
        key,
        typeof value === 'object' ? [...value] : value,
      ]),
    );
    const made = tracer.startSpan(
      name,
      { kind: kinds[kind], startTime: startMs, attributes },
      trace.setSpanContext(ROOT_CONTEXT, parent),
    );
    if (failed) made.setStatus({ code: SpanStatusCode.ERROR });
    made.end(endMs);
    return made.spanContext();
  };
  return (traces) => {
    ended = [];
    for (const { parent, server, steps } of traces) {
      const { traceId, parentId } = parent;
      const traceFlags = TraceFlags.SAMPLED;
      const here = make(server, { traceId, spanId: parentId, traceFlags, isRemote: true });
      for (const step of steps) make(step, here);
    }
    return Buffer.from(JsonTraceSerializer.serializeRequest(ended) ?? '').toString();
  };
}
