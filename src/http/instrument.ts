/** Times a route, and turns what it throws into an answer. */

import type { Request, RequestHandler, Response } from 'express';
import { BrokerError } from '../core/errors.ts';
import type { RequestContext } from '../core/request-context.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Answered, FollowedRequest, RequestTraces } from '../telemetry/request-traces.ts';
import { traceParentOf } from '../telemetry/trace-parent.ts';
import type { Admission } from './admission.ts';
import { Arrival, type RouteHandler } from './arrival.ts';
import type { ClientIp } from './client-ip.ts';
import { sendProblem } from './problem.ts';
import type { RefusalLog } from './refusal-log.ts';
import { requestContext } from './request-context.ts';

export interface InstrumentOptions {
  readonly admit: Admission;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'requestSeconds' | 'inFlight'>;
  /** Counted up and down; default: that of all listeners without one of their own. */
  readonly inFlight?: { requests: number };
  readonly refusals: RefusalLog;
  readonly clientIp: ClientIp;
  /** Absent: no request of this listener is followed. */
  readonly traces?: RequestTraces | undefined;
  readonly onRefused?: ((error: BrokerError, context: RequestContext) => void) | undefined;
}

/** Prints an error in the shape that the clients of a route understand. */
export type SendError = (res: Response, error: BrokerError, requestId: string) => void;

/**
 * `name` is the route's template: it labels metrics and audit records, so it must be from a closed set. Errors are
 * problem documents unless the route has a shape of its own for them.
 */
export type Instrument = (
  name: string,
  handler: RouteHandler,
  sendError?: SendError,
) => RequestHandler;

export function instrument({
  admit,
  clock,
  metrics,
  inFlight = metrics.inFlight.others,
  refusals,
  clientIp,
  traces,
  onRefused,
}: InstrumentOptions): Instrument {
  return (name, handler, sendError = sendProblem) => {
    const durations = ['1xx', '2xx', '3xx', '4xx', '5xx'].map((status_class) =>
      lazily(() => metrics.requestSeconds.child({ route: name, status_class })),
    );
    const noted = (error: unknown, context: RequestContext | undefined): BrokerError => {
      const failure = error instanceof BrokerError ? error : new BrokerError('internal_error');
      refusals.note(failure, error, name, context);
      if (context !== undefined) onRefused?.(failure, context);
      return failure;
    };
    return async function route(req, res) {
      const startedAt = clock.monotonic();
      inFlight.requests += 1;
      const arrival = new Arrival(req, admit);
      const parent = traceParentOf(req.headers);
      let context: RequestContext | undefined;
      let failure: BrokerError | undefined;
      let followed: FollowedRequest | undefined;
      const answer = (error: unknown) => {
        failure = noted(arrival.refusalBefore(error), context);
        if (res.headersSent) res.destroy();
        else sendError(res, failure, context?.requestId ?? '');
      };
      try {
        const known = requestContext(req, name, clientIp, parent);
        context = known;
        followed = traces?.follow(parent);
        const handled =
          followed === undefined
            ? handler(arrival, known)
            : followed.run(() => handler(arrival, known));
        const refusal = await handled;
        if (refusal !== undefined) answer(refusal);
      } catch (error) {
        answer(error);
      } finally {
        inFlight.requests -= 1;
        durations[Math.floor(res.statusCode / 100) - 1]?.().observe(
          (clock.monotonic() - startedAt) / 1000,
        );
        followed?.end(answered(req, res, name, { context, failure }));
      }
    };
  };
}

/**
 * By the semantic conventions for HTTP servers, without what callers can write something into: the path as it was sent, the query, the
 * user agent. A 4xx is not an error of the server, and why a decision was a denial is not for the caller's eyes.
 */
function answered(
  { method }: Request,
  { statusCode }: Response,
  route: string,
  {
    context,
    failure,
  }: {
    readonly context: RequestContext | undefined;
    readonly failure: BrokerError | undefined;
  },
): Answered {
  const verb = knownMethods.has(method) ? method : undefined;
  const failed = statusCode >= 500;
  return {
    name: `${verb ?? 'HTTP'} ${route}`,
    attributes: {
      'http.request.method': verb ?? '_OTHER',
      'http.route': route,
      'http.response.status_code': statusCode,
      ...(failed && failure !== undefined ? { 'error.type': failure.code } : {}),
      ...(context === undefined ? {} : { 'token_broker.request_id': context.requestId }),
    },
    failed,
    proven: context?.caller !== undefined,
  };
}

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

/** A series appears once there is something to count: empty ones only make the page longer. */
function lazily<T>(create: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= create();
    return value;
  };
}
