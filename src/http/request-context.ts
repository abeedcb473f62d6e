import { randomUUID } from 'node:crypto';
import type { Request } from 'express';
import type { RequestContext } from '../core/request-context.ts';
import type { TraceParent } from '../telemetry/trace-parent.ts';
import type { ClientIp } from './client-ip.ts';

/**
 * Where the request came from, under an id of our own: an id that callers could choose would let them hide
 * one request behind another in the audit log.
 */
export function requestContext(
  req: Request,
  route: string,
  clientIp: ClientIp,
  trace: TraceParent | undefined,
): RequestContext {
  const { 'x-forwarded-for': forwardedFor, 'user-agent': userAgent } = req.headers;
  const { sourceIp, peerIp } = clientIp(
    req.socket.remoteAddress,
    typeof forwardedFor === 'string' ? forwardedFor : undefined,
  );
  return {
    requestId: randomUUID(),
    traceId: trace?.traceId,
    route,
    sourceIp,
    peerIp,
    userAgent: withoutToken(userAgent),
  };
}

/** A token that was put into the wrong header by mistake must not get into the audit log (T33). */
function withoutToken(userAgent: string | undefined): string | undefined {
  return userAgent?.includes('eyJ') === true ? '[looks like a token]' : userAgent;
}
