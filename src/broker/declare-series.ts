/**
 * Every series that an alert could wait for, at zero from the start: `increase()` and `rate()` see no event in a series
 * that appears with its first one, so the alert would miss exactly that.
 */

import { auditFailureReasons } from '../audit/audit-sink.ts';
import { checkpointFailures } from '../audit/checkpoints/checkpointer.ts';
import { copyFailures } from '../audit/checkpoints/locked-bucket-error.ts';
import { auditAlarms } from '../audit/log-event.ts';
import { trustedIssuersOf } from '../config/configured-issuers.ts';
import type { Config } from '../config/schema.ts';
import { proposalEvents } from '../core/editing/proposal.ts';
import { errorCodes } from '../core/errors.ts';
import { denyReasons } from '../core/policy/deny-reasons.ts';
import { policyAlarms } from '../dynamodb/policy-sync-observer.ts';
import { wireForms } from '../http/forms/wire-forms.ts';
import { tlsFaults } from '../http/tls-files.ts';
import { handshakeFailures } from '../http/tls-observer.ts';
import { labelOf, trustedIssuers } from '../identity/trusted-issuers.ts';
import { cacheEvents } from '../sts/credential-cache.ts';
import { stsOutcomes } from '../sts/web-identity-adapter.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { tracedResults } from '../telemetry/request-traces.ts';
import { spanResults } from '../telemetry/trace-export.ts';
import { signingResults } from '../web-identity/token-issuer.ts';
import { reloadOutcomes } from './reloader.ts';

/** What the parser and its surroundings refuse a connection with. */
const connectionErrors = [
  'request_malformed',
  'headers_too_large',
  'request_timeout',
  'pipelining',
  'crowded_out',
  'answer_unread',
] as const;

/** `now`: epoch milliseconds at which the configuration was taken over. */
export function declareSeries(metrics: Metrics, config: Config, now: number): void {
  for (const { region } of config.sts.endpoints) {
    for (const result of stsOutcomes) metrics.stsSeconds.zero({ region, result });
  }
  for (const result of signingResults) metrics.webIdentitySeconds.zero({ result });
  declarePolicy(metrics);
  for (const event of cacheEvents) metrics.cacheEvents.child({ event });
  declareAudit(metrics, config);
  for (const pool of poolsOf(config)) {
    for (const result of ['ok', 'failed']) metrics.keyFetches.inc({ pool, result }, 0);
  }
  for (const outcome of reloadOutcomes) metrics.configReloads.inc({ outcome }, 0);
  metrics.configReloadSuccessful.set(1);
  metrics.configReloadSuccessTime.set(now / 1000);
  for (const result of tracedResults) metrics.tracedRequests.inc({ result }, 0);
  for (const result of spanResults) metrics.traceSpans.inc({ result }, 0);
  declareRequests(metrics);
  declareListeners(metrics, config);
}

function declarePolicy({ policyAlarms: alarms, proposals }: Metrics): void {
  for (const kind of policyAlarms) alarms.inc({ kind }, 0);
  for (const event of proposalEvents) proposals.inc({ event }, 0);
}

function declareAudit(metrics: Metrics, config: Config): void {
  for (const sink of sinksOf(config)) {
    metrics.auditSeconds.child({ sink });
    for (const result of ['kept', ...auditFailureReasons]) {
      metrics.auditRecords.child({ sink, result });
    }
  }
  for (const kind of auditAlarms) metrics.auditChainBreaks.inc({ kind }, 0);
  for (const result of ['signed', ...checkpointFailures]) {
    metrics.auditCheckpoints.inc({ result }, 0);
  }
  for (const result of ['stored', ...copyFailures]) metrics.checkpointCopies.inc({ result }, 0);
}

function declareRequests({ refusals, requestSeconds }: Metrics): void {
  for (const { route } of wireForms) requestSeconds.child({ route, status_class: '2xx' });
  for (const reason of denyReasons) refusals.child({ code: 'access_denied', reason });
  for (const code of Object.keys(errorCodes)) {
    if (code.startsWith('token_')) refusals.child({ code, reason: 'none' });
  }
}

function declareListeners(metrics: Metrics, config: Config): void {
  for (const [listener, { tls }] of listenersOf(config)) {
    for (const code of connectionErrors) metrics.connectionErrors.inc({ listener, code }, 0);
    if (tls === undefined) continue;
    metrics.tlsReloads.inc({ listener }, 0);
    for (const fault of tlsFaults) metrics.tlsRefusedFiles.inc({ listener, fault }, 0);
    for (const failure of handshakeFailures) {
      metrics.handshakeFailures.inc({ listener, failure }, 0);
    }
  }
}

/** Those that are started. */
function listenersOf({ listeners, admin, webIdentity }: Config) {
  const started: Partial<Record<string, boolean>> = {
    admin: admin !== undefined,
    identity: webIdentity?.serveDocuments === true,
  };
  return Object.entries(listeners).filter(([name]) => started[name] !== false);
}

function sinksOf({ audit }: Config): readonly string[] {
  return [...(audit.directory === undefined ? [] : ['file']), ...(audit.stdout ? ['stdout'] : [])];
}

function poolsOf({ identity }: Config): readonly string[] {
  const issuers = trustedIssuers(trustedIssuersOf(identity));
  return [...new Set([...issuers.values()].map(labelOf))];
}
