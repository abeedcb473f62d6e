/** What each listener serves: the applications, handed what they need of the adapters. */

import type { Express } from 'express';
import type { Config } from '../config/schema.ts';
import type { BrokerError } from '../core/errors.ts';
import { createExchange } from '../core/exchange.ts';
import type { RequestContext } from '../core/request-context.ts';
import { adminApp } from '../http/admin/admin-app.ts';
import { admission } from '../http/admission.ts';
import { apiApp } from '../http/api/api-app.ts';
import { wireForms } from '../http/forms/wire-forms.ts';
import { identityApp } from '../http/identity/identity-app.ts';
import { type Instrument, instrument } from '../http/instrument.ts';
import { type HealthCheck, opsApp } from '../http/ops/ops-app.ts';
import type { RefusalLog } from '../http/refusal-log.ts';
import type { TrustedIssuer } from '../identity/providers/provider.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { FailedTokenLimit } from '../limits/failed-token-limit.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RequestTraces } from '../telemetry/request-traces.ts';
import {
  discoveryPath,
  documentsCacheControl,
  keySetPath,
  publicDocuments,
} from '../web-identity/documents.ts';
import type { Adapters } from './adapters.ts';
import type { ConfiguredConsole } from './configured/console.ts';
import { instanceStatus } from './instance-status.ts';
import type { ListenerApps } from './listeners.ts';
import type { Observers } from './observers.ts';
import { liveClientIp, type RunningSettings } from './running-settings.ts';

export interface ListenerAppsOptions {
  readonly config: Config;
  readonly running: RunningSettings;
  readonly clock: Clock;
  readonly refusals: RefusalLog;
  readonly metrics: Metrics;
  readonly adapters: Adapters;
  readonly readiness: () => readonly HealthCheck[];
  readonly console: ConfiguredConsole | undefined;
  readonly traces: RequestTraces | undefined;
  readonly version: string;
  readonly onBreakGlass: Observers['breakGlass'];
  readonly onProposal: Observers['proposal'];
}

export function listenerApps(options: ListenerAppsOptions): ListenerApps {
  const { config, running, clock, refusals, metrics, adapters, readiness, console } = options;
  const { validator, adminValidator, failedTokens, limit, cache, requestAudit, table, trusted } =
    adapters;
  const policy = adapters.inForce;
  const watching = { clock, metrics, refusals, clientIp: liveClientIp(running) };
  const countedBy = (failed: FailedTokenLimit) => (error: BrokerError, context: RequestContext) =>
    failed.noteRefusal(error, context.sourceIp);
  const allowedHosts = new Set(config.http.allowedHosts.map((host) => host.toLowerCase()));
  const anyHost = admission({ allowedHosts: new Set(), origin: console?.origin });
  // Health checks and scrapers of older proxies speak it, and there is no secret and no body there.
  const alsoHttp10 = admission({ allowedHosts: new Set(), http10: true });
  const { accessHelp } = config;
  /** Without administrators there is no listener for them, and coming and going needs a restart. */
  const access = () => {
    if (running.now.access === undefined) throw new TypeError('there are no administrators');
    return running.now.access;
  };
  return {
    api: apiApp({
      forms: wireForms,
      exchange: createExchange({
        validator,
        limit,
        policy,
        issuer: cache,
        audit: requestAudit,
        accessHelp,
        clock,
      }),
      validator,
      limit,
      audit: requestAudit,
      policy,
      accessHelp,
      sessions: cache,
      metrics,
      route: instrument({
        ...watching,
        admit: admission({ allowedHosts }),
        inFlight: metrics.inFlight.api,
        traces: options.traces,
        onRefused: countedBy(failedTokens.api),
      }),
      maxBodyBytes: config.http.maxBodyBytes,
      clock,
    }),
    ops: opsApp({
      registry: metrics.registry,
      readiness,
      route: instrument({ ...watching, admit: alsoHttp10 }),
    }),
    identity: documentsApp(config, adapters, instrument({ ...watching, admit: alsoHttp10 })),
    admin:
      config.admin &&
      adminApp({
        validator: adminValidator,
        access,
        store: table,
        proposals: table.proposals,
        onBreakGlass: options.onBreakGlass,
        onProposal: options.onProposal,
        policy,
        audit: requestAudit,
        decisions: adapters.decisions,
        status: instanceStatus({
          adapters,
          metrics,
          version: options.version,
          startedAt: clock.now(),
          readiness,
          tableSilentSeconds: 5 * config.policy.pollSeconds + 5,
        }),
        rules: () => running.now.rules,
        issuers: issuersByPool(trusted),
        route: instrument({
          ...watching,
          admit: anyHost,
          traces: options.traces,
          onRefused: countedBy(failedTokens.admin),
        }),
        clock,
        console,
      }),
  };
}

/** Undefined where the documents are published elsewhere. */
function documentsApp(
  { webIdentity }: Config,
  { webIdentity: tokens }: Adapters,
  route: Instrument,
): Express | undefined {
  if (webIdentity === undefined || tokens === undefined || !webIdentity.serveDocuments) {
    return undefined;
  }
  const { issuer } = webIdentity;
  return identityApp({
    route,
    below: new URL(issuer).pathname.replace(/\/$/, ''),
    documents: () => publicDocuments(issuer, tokens.published),
    paths: [discoveryPath, keySetPath],
    cacheControl: documentsCacheControl,
  });
}

/** Which issuer's tokens a pool's callers bring. */
function issuersByPool(trusted: readonly TrustedIssuer[]): ReadonlyMap<string, string> {
  return new Map(trusted.map(({ name, issuer }) => [name, issuer]));
}
