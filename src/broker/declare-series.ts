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
import { errorCodes } from '../core/errors.ts';
import { denyReasons } from '../core/policy/deny-reasons.ts';
import { policyAlarms } from '../dynamodb/policy-sync-observer.ts';
import { tlsFaults } from '../http/tls-files.ts';
import { handshakeFailures } from '../http/tls-observer.ts';
import { labelOf, trustedIssuers } from '../identity/trusted-issuers.ts';
import { cacheEvents } from '../sts/credential-cache.ts';
import { stsOutcomes } from '../sts/web-identity-adapter.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { signingResults } from '../web-identity/token-issuer.ts';

/** What the parser and its surroundings refuse a connection with. */
const connectionErrors = [
  'request_malformed',
  'headers_too_large',
  'request_timeout',
  'pipelining',
  'crowded_out',
  'answer_unread',
] as const;

export function declareSeries(metrics: Metrics, config: Config): void {
  for (const { region } of config.sts.endpoints) {
    for (const result of stsOutcomes) metrics.stsSeconds.zero({ region, result });
  }
  for (const result of signingResults) metrics.webIdentitySeconds.zero({ result });
  for (const kind of policyAlarms) metrics.policyAlarms.inc({ kind }, 0);
  for (const event of cacheEvents) metrics.cacheEvents.child({ event });
  declareAudit(metrics, config);
  for (const pool of poolsOf(config)) {
    for (const result of ['ok', 'failed']) metrics.keyFetches.inc({ pool, result }, 0);
  }
  declareRefusals(metrics);
  declareListeners(metrics, config);
}

function declareAudit(metrics: Metrics, config: Config): void {
  for (const sink of sinksOf(config)) {
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

function declareRefusals({ refusals }: Metrics): void {
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
