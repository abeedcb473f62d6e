/** Times a route, and turns what it throws into an answer. */

import type { Request, RequestHandler, Response } from 'express';
import type { RequestContext } from '../core/audit-record.ts';
import { BrokerError } from '../core/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { ClientIp } from './client-ip.ts';
import { sendProblem } from './problem.ts';
import { requestContext } from './request-context.ts';

export interface InstrumentOptions {
  readonly metrics: Pick<Metrics, 'requestSeconds' | 'inFlight'>;
  /** Counted up and down; default: that of all listeners without one of their own. */
  readonly inFlight?: { requests: number };
  readonly logger: Logger;
  readonly clientIp: ClientIp;
}

/** Sends an answer, or throws. */
export type RouteHandler = (
  req: Request,
  res: Response,
  context: RequestContext,
) => void | Promise<void>;

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
  metrics,
  inFlight = metrics.inFlight.others,
  logger,
  clientIp,
}: InstrumentOptions): Instrument {
  return (name, handler, sendError = sendProblem) => {
    const durations = ['1xx', '2xx', '3xx', '4xx', '5xx'].map((status_class) =>
      lazily(() => metrics.requestSeconds.child({ route: name, status_class })),
    );
    return async function route(req, res) {
      const startedAt = performance.now();
      inFlight.requests += 1;
      let context: RequestContext | undefined;
      try {
        context = requestContext(req, name, clientIp);
        await handler(req, res, context);
      } catch (error) {
        const failure = noteError(error, context, name, logger);
        if (res.headersSent) res.destroy();
        else sendError(res, failure, context?.requestId ?? '');
      } finally {
        inFlight.requests -= 1;
        durations[Math.floor(res.statusCode / 100) - 1]?.().observe(
          (performance.now() - startedAt) / 1000,
        );
      }
    };
  };
}

function noteError(
  error: unknown,
  context: RequestContext | undefined,
  route: string,
  logger: Logger,
): BrokerError {
  const problem = error instanceof BrokerError ? error : new BrokerError('internal_error');
  const requestId = context?.requestId ?? '';
  const event = { requestId, route, code: problem.code, reason: problem.reason };
  if (problem.status < 500) logger.info(event, 'refused');
  else logger.error({ ...event, err: causeWorthKnowing(error, problem) }, 'failed');
  return problem;
}

/** In an outage every request fails alike: where in the code adds nothing to the code, and a stack each is a flood. */
function causeWorthKnowing(error: unknown, { code, cause }: BrokerError): unknown {
  return code === 'internal_error' ? error : cause;
}

/** A series appears once there is something to count: empty ones only make the page longer. */
function lazily<T>(create: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= create();
    return value;
  };
}
