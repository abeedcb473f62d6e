/** An Express application without the habits that an API for machines does not want. */

import express, { type ErrorRequestHandler, type Express } from 'express';
import { BrokerError } from '../core/errors.ts';
import type { Admission } from './admission.ts';
import type { Instrument, RouteHandler } from './instrument.ts';

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
export function otherMethods(admit: Admission, ...methods: readonly string[]): RouteHandler {
  // Express answers HEAD wherever it answers GET.
  return onlyMethods(admit, ...(methods.includes('GET') ? [...methods, 'HEAD'] : methods));
}

/** The same for a path whose GET does something that HEAD must not. */
export function onlyMethods(admit: Admission, ...allow: readonly string[]): RouteHandler {
  return (req) => {
    admit(req);
    throw new BrokerError('method_not_allowed', { allow, detail: `Use ${allow.join(' or ')}.` });
  };
}

/** The end of the line: everything that no route took. */
export function unmatched(app: Express, route: Instrument, admit: Admission): void {
  app.use(
    route('unmatched', (req) => {
      admit(req);
      throw new BrokerError('route_not_found', { detail: 'openapi.yaml lists the paths.' });
    }),
  );
  // Only Express itself fails outside a route, when it cannot decode a path.
  const undecodable: ErrorRequestHandler = (_error, req, res, next) => {
    const refuse = route('unmatched', () => {
      throw new BrokerError('request_malformed', { detail: 'The path cannot be decoded.' });
    });
    void Promise.resolve(refuse(req, res, next));
  };
  app.use(undecodable);
}
