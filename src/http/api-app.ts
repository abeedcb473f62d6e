/** The api listener: what services call. */

import type { Express } from 'express';
import type { Exchange } from '../core/exchange.ts';
import type {
  AuditLog,
  CallerLimit,
  HeldSessions,
  PolicySource,
  TokenValidator,
} from '../core/ports.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Admission } from './admission.ts';
import { expressApp, onlyMethods, otherMethods, unmatched } from './express-app.ts';
import {
  containerCredentials,
  containerCredentialsRoute,
} from './forms/container/container-credentials.ts';
import { sendContainerError } from './forms/container/container-error.ts';
import { describeCaller } from './forms/rest/describe-caller.ts';
import { issueCredentials } from './forms/rest/issue-credentials.ts';
import { sendStsError } from './forms/sts/sts-error.ts';
import { stsPaths, stsQuery, stsRoute } from './forms/sts/sts-query.ts';
import type { Instrument } from './instrument.ts';

export interface ApiAppOptions {
  readonly exchange: Exchange;
  readonly validator: TokenValidator;
  readonly limit: CallerLimit;
  readonly audit: AuditLog;
  readonly policy: PolicySource;
  readonly sessions: HeldSessions;
  readonly metrics: Metrics;
  readonly route: Instrument;
  readonly admit: Admission;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
}

export function apiApp(options: ApiAppOptions): Express {
  const {
    exchange,
    validator,
    limit,
    audit,
    policy,
    sessions,
    metrics,
    route,
    admit,
    maxBodyBytes,
    clock,
  } = options;
  const app = expressApp();

  const credentials = '/v1/credentials';
  app.post(
    credentials,
    route(credentials, issueCredentials({ exchange, admit, maxBodyBytes, metrics })),
  );
  const container = route(
    containerCredentialsRoute,
    containerCredentials({ exchange, admit, metrics }),
    sendContainerError,
  );
  // A HEAD that issued credentials would leave a record of credentials that nobody has.
  const otherThanGetOrPost = route(credentials, onlyMethods(admit, 'GET', 'POST'));
  app.head(credentials, otherThanGetOrPost);
  app.get(credentials, container);
  app.all(credentials, otherThanGetOrPost);

  const credentialsOfRole = '/v1/credentials/:role';
  const otherThanGet = route(containerCredentialsRoute, onlyMethods(admit, 'GET'));
  app.head(credentialsOfRole, otherThanGet);
  app.get(credentialsOfRole, container);
  app.all(credentialsOfRole, otherThanGet);

  app.post(
    stsPaths,
    route(stsRoute, stsQuery({ exchange, sessions, admit, metrics, clock }), sendStsError),
  );
  app.all(stsPaths, route(stsRoute, otherMethods(admit, 'POST'), sendStsError));

  const caller = '/v1/caller';
  app.get(caller, route(caller, describeCaller({ validator, limit, policy, admit, audit, clock })));
  app.all(caller, route(caller, otherMethods(admit, 'GET')));

  unmatched(app, route, admit);
  return app;
}
