/** What a record says of the request that it is about. */

import type { RequestContext } from '../request-context.ts';

export interface RecordedRequest {
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  readonly requestId: string;
  /** As the sender of the request says; absent in a record that stands for several. */
  readonly traceId?: string | undefined;
  readonly route: string;
  readonly sourceIp: string;
  readonly peerIp: string;
  readonly userAgent?: string | undefined;
  /**
   * Only in a record that follows that of a refusal, has its request id, and stands for those that were like it.
   * The time is then that of the writing. While the disk has no room for refusals the first one is among them.
   */
  readonly repeats?: AuditedRepeats | undefined;
}

/** Of the request's context, what every record says. */
export function recordedRequest({
  requestId,
  traceId,
  route,
  sourceIp,
  peerIp,
  userAgent,
}: RequestContext): Omit<RecordedRequest, 'time' | 'repeats'> {
  return { requestId, traceId, route, sourceIp, peerIp, userAgent };
}

/**
 * Further refusals of one kind. The record says what they share: those of one caller differ in nothing but time and
 * request id; for those before authentication, and for those beyond what one caller gets records of its own for,
 * `*` stands where they may differ, and `sourceIp` is a block of addresses.
 */
export interface AuditedRepeats {
  readonly count: number;
  /** RFC 3339, of the first and of the last of them. */
  readonly from: string;
  readonly to: string;
  /** The first sixteen. */
  readonly requestIds: readonly string[];
}
