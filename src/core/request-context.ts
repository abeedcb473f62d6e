import type { Caller } from './caller.ts';

/** Where a request came from, and under which id it is known everywhere. */
export interface RequestContext {
  readonly requestId: string;
  /** Of the trace that the sender says the request belongs to: 32 lower-case hex digits. Nothing is decided by it. */
  readonly traceId?: string | undefined;
  /** Route template, from a closed set. */
  readonly route: string;
  /** Client address: the socket's, or the one that a trusted proxy vouches for. */
  readonly sourceIp: string;
  /** Address of the socket's other end. */
  readonly peerIp: string;
  readonly userAgent: string | undefined;
  /** Whom a token of this request has proven, from then on. */
  caller?: Caller | undefined;
}
