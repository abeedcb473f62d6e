/** An OTLP receiver on loopback: takes traces in JSON as opentelemetry-proto 1.x has them, and refuses what is not of that form. */

import { z } from 'zod';
import { type ScriptedReply, startScriptedServer } from './scripted-server.ts';

export interface ReceivedSpan {
  readonly service: Readonly<Record<string, unknown>>;
  readonly scope: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client';
  /** Nanoseconds since the epoch. */
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly error: boolean;
}

export interface OtlpReceiver {
  /** For `traces.endpoint`. */
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** Whole bodies, as they came. */
  readonly bodies: readonly string[];
  /** Header fields of all requests. */
  readonly headers: readonly Readonly<Record<string, unknown>>[];
  /** From now on, instead of taking them. */
  answer: ScriptedReply | undefined;
  stop(): Promise<void>;
}

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
/** 64 bits are text in the JSON form of protobuf. */
const nanoseconds = z.string().regex(/^\d{19}$/);

const value = z.union([
  z.strictObject({ stringValue: z.string() }),
  z.strictObject({ intValue: z.union([z.int(), z.string().regex(/^-?\d+$/)]) }),
  z.strictObject({
    arrayValue: z.strictObject({
      values: z.array(z.strictObject({ stringValue: z.string() })),
    }),
  }),
]);
const attributes = z.array(z.strictObject({ key: z.string().min(1), value }));

const request = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes, droppedAttributesCount: z.literal(0) }),
      scopeSpans: z.array(
        z.strictObject({
          scope: z.looseObject({ name: z.string(), version: z.string() }),
          spans: z.array(
            z.strictObject({
              traceId: hex(16),
              spanId: hex(8),
              parentSpanId: hex(8),
              name: z.string().min(1),
              // SPAN_KIND_INTERNAL, SERVER, CLIENT
              kind: z.literal([1, 2, 3]),
              startTimeUnixNano: nanoseconds,
              endTimeUnixNano: nanoseconds,
              attributes,
              droppedAttributesCount: z.literal(0),
              events: z.array(z.never()),
              droppedEventsCount: z.literal(0),
              // STATUS_CODE_UNSET, ERROR; a message could say anything
              status: z.strictObject({ code: z.literal([0, 2]) }),
              links: z.array(z.never()),
              droppedLinksCount: z.literal(0),
              flags: z.int(),
            }),
          ),
        }),
      ),
    }),
  ),
});

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const headers: Readonly<Record<string, unknown>>[] = [];
  let answer: ScriptedReply | undefined;
  const server = await startScriptedServer((call) => {
    bodies.push(call.body);
    headers.push(call.headers);
    if (answer !== undefined) return answer;
    const json = call.headers['content-type'] === 'application/json';
    if (call.method !== 'POST' || call.path !== '/v1/traces' || !json) return { status: 404 };
    const parsed = request.safeParse(JSON.parse(call.body));
    if (!parsed.success) return { status: 400, body: { message: z.prettifyError(parsed.error) } };
    spans.push(...spansOf(parsed.data));
    return { body: {} };
  });
  return {
    endpoint: `${server.url}/v1/traces`,
    spans,
    bodies,
    headers,
    get answer() {
      return answer;
    },
    set answer(next) {
      answer = next;
    },
    stop: () => server.stop(),
  };
}

const kinds = { 1: 'internal', 2: 'server', 3: 'client' } as const;

function spansOf({ resourceSpans }: z.infer<typeof request>): readonly ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map(({ kind, status, startTimeUnixNano, endTimeUnixNano, ...span }) => ({
        service: plain(resource.attributes),
        scope: scope.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId,
        name: span.name,
        kind: kinds[kind],
        start: BigInt(startTimeUnixNano),
        end: BigInt(endTimeUnixNano),
        attributes: plain(span.attributes),
        error: status.code === 2,
      })),
    ),
  );
}

function plain(list: z.infer<typeof attributes>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(list.map(({ key, value: of }) => [key, plainValue(of)]));
}

function plainValue(of: z.infer<typeof value>): unknown {
  if ('stringValue' in of) return of.stringValue;
  if ('intValue' in of) return Number(of.intValue);
  return of.arrayValue.values.map(({ stringValue }) => stringValue);
}
