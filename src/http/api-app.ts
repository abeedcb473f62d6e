/** The api listener: what services call. */

import type { Express } from 'express';
import type { Clock } from '../core/clock.ts';
import type { Exchange } from '../core/exchange.ts';
import type { PolicySource, TokenValidator } from '../core/ports.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Admission } from './admission.ts';
import { expressApp, otherMethods, unmatched } from './express-app.ts';
import type { Instrument } from './instrument.ts';
import { describeCaller } from './routes/describe-caller.ts';
import { issueCredentials } from './routes/issue-credentials.ts';

export interface ApiAppOptions {
  readonly exchange: Exchange;
  readonly validator: TokenValidator;
  readonly policy: PolicySource;
  readonly metrics: Metrics;
  readonly route: Instrument;
  readonly admit: Admission;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
}

export function apiApp(options: ApiAppOptions): Express {
  const { exchange, validator, policy, metrics, route, admit, maxBodyBytes, clock } = options;
  const app = expressApp();

  const credentials = '/v1/credentials';
  app.post(
    credentials,
    route(credentials, issueCredentials({ exchange, admit, maxBodyBytes, metrics })),
  );
  app.all(credentials, route(credentials, otherMethods(admit, 'POST')));

  const caller = '/v1/caller';
  app.get(caller, route(caller, describeCaller({ validator, policy, admit, clock })));
  app.all(caller, route(caller, otherMethods(admit, 'GET')));

  unmatched(app, route, admit);
  return app;
}
