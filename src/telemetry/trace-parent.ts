/** Which trace a request says that it belongs to (W3C Trace Context, "traceparent"). */

import type { IncomingHttpHeaders } from 'node:http';

export interface TraceParent {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero: the span of whoever sent the request. */
  readonly parentId: string;
  /** Whether the sender says that it keeps this trace. */
  readonly sampled: boolean;
}

const form =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?=-|$)/;
const lengthOfVersion00 = 55;

/**
 * What anybody can write into a header: good for finding things again, and never a reason to do anything. Undefined for what is not of
 * the one form that the standard allows; of a version after 00 what follows that is ignored.
 */
export function traceParentOf(headers: IncomingHttpHeaders): TraceParent | undefined {
  const { traceparent } = headers;
  if (typeof traceparent !== 'string') return undefined;
  const [, version, traceId, parentId, flags] = form.exec(traceparent) ?? [];
  if (traceId === undefined || parentId === undefined || flags === undefined) return undefined;
  if (version === '00' && traceparent.length !== lengthOfVersion00) return undefined;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
