/** An Express application without the habits that an API for machines does not want. */

import express, { type ErrorRequestHandler, type Express } from 'express';
import { BrokerError } from '../core/errors.ts';
import { admitting, type RouteHandler } from './arrival.ts';
import type { Instrument } from './instrument.ts';

export function expressApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  // An ETag of credentials is a digest of secrets, and nothing here may be revalidated.
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.set('query parser', false);
  app.set('trust proxy', false);
  return app;
}

/** Answers the other methods of a path: 405 with the methods that it does take. */
export function otherMethods(methods: readonly string[], hint?: string): RouteHandler {
  // Express answers HEAD wherever it answers GET.
  return onlyMethods(methods.includes('GET') ? [...methods, 'HEAD'] : methods, hint);
}

/** The same for a path whose GET does something that HEAD must not. */
export function onlyMethods(allow: readonly string[], hint?: string): RouteHandler {
  const detail = [`Use ${allow.join(' or ')}.`, ...(hint === undefined ? [] : [hint])].join(' ');
  return admitting(() => {
    throw new BrokerError('method_not_allowed', { allow, detail });
  });
}

/** The end of the line: everything that no route took. */
export function unmatched(app: Express, route: Instrument): void {
  const refuse = route(
    'unmatched',
    admitting(() => {
      throw new BrokerError('route_not_found', { detail: 'openapi.yaml lists the paths.' });
    }),
  );
  app.use(refuse);
  // Only Express itself fails outside a route, when it cannot decode a path: admission lets none in that is encoded.
  const undecodable: ErrorRequestHandler = (_error, req, res, next) => {
    void Promise.resolve(refuse(req, res, next));
  };
  app.use(undecodable);
}
