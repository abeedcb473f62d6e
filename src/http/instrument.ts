/** Times a route, admits its requests, and turns what it throws into a problem document. */

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
  readonly logger: Logger;
  readonly clientIp: ClientIp;
}

/** Sends an answer, or throws. */
export type RouteHandler = (
  req: Request,
  res: Response,
  context: RequestContext,
) => void | Promise<void>;

/** `name` is the route's template: it labels metrics and audit records, so it must be from a closed set. */
export type Instrument = (name: string, handler: RouteHandler) => RequestHandler;

export function instrument({ metrics, logger, clientIp }: InstrumentOptions): Instrument {
  return (name, handler) => {
    const durations = ['1xx', '2xx', '3xx', '4xx', '5xx'].map((status_class) =>
      lazily(() => metrics.requestSeconds.child({ route: name, status_class })),
    );
    return async function route(req, res) {
      const startedAt = performance.now();
      metrics.inFlight.requests += 1;
      let context: RequestContext | undefined;
      try {
        context = requestContext(req, name, clientIp);
        await handler(req, res, context);
      } catch (error) {
        answerError(res, error, context, name, logger);
      } finally {
        metrics.inFlight.requests -= 1;
        durations[Math.floor(res.statusCode / 100) - 1]?.().observe(
          (performance.now() - startedAt) / 1000,
        );
      }
    };
  };
}

function answerError(
  res: Response,
  error: unknown,
  context: RequestContext | undefined,
  route: string,
  logger: Logger,
): void {
  const problem = error instanceof BrokerError ? error : new BrokerError('internal_error');
  const requestId = context?.requestId ?? '';
  const event = { requestId, route, code: problem.code, reason: problem.reason };
  if (problem.status < 500) logger.info(event, 'refused');
  else logger.error({ ...event, err: error }, 'failed');
  if (res.headersSent) res.destroy();
  else sendProblem(res, problem, requestId);
}

/** A series appears once there is something to count: empty ones only make the page longer. */
function lazily<T>(create: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= create();
    return value;
  };
}
