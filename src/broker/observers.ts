/** What the parts report about themselves, turned into metrics and log events. */

import type { AuditObserver } from '../audit/audit-sink.ts';
import type { CopyObserver } from '../audit/checkpoints/checkpoint-copies.ts';
import type { CheckpointObserver } from '../audit/checkpoints/checkpointer.ts';
import type { RepeatedDenialsObserver } from '../audit/repeated-denials.ts';
import { trustedIssuersOf } from '../config/configured-issuers.ts';
import type { Config } from '../config/schema.ts';
import type { BrokenGlass } from '../core/editing/mapping-edit.ts';
import type { ProposalEvent } from '../core/editing/proposal.ts';
import type { PolicySyncObserver } from '../dynamodb/policy-sync-observer.ts';
import type { TableCall } from '../dynamodb/table-calls.ts';
import type { TlsObserver } from '../http/tls-observer.ts';
import type { JwksObserver } from '../identity/keys/jwks-observer.ts';
import { labelOf, trustedIssuers } from '../identity/trusted-issuers.ts';
import { atMostEvery } from '../kit/rates/at-most-every.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { EmergencyChange } from '../mapping-files/emergency-file.ts';
import type { KmsCall } from '../signing/kms-key.ts';
import type { CacheEvent } from '../sts/credential-cache.ts';
import type { StsCall } from '../sts/web-identity-adapter.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Limit, Metrics } from '../telemetry/metrics.ts';
import type { SigningEvent } from '../web-identity/token-issuer.ts';
import type { ReloadEvent } from './reloader.ts';
import type { TracedCalls } from './traced-calls.ts';

export interface ObserversOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly identity: Config['identity'];
  readonly clock: Clock;
  /** Absent: no request is traced. */
  readonly traced: TracedCalls | undefined;
}

export interface Observers {
  readonly audit: AuditObserver;
  readonly checkpoints: CheckpointObserver;
  readonly copies: CopyObserver;
  readonly denials: RepeatedDenialsObserver;
  readonly keys: JwksObserver;
  readonly policy: PolicySyncObserver;
  readonly emergency: {
    readonly onChange: (change: EmergencyChange) => void;
    readonly onUnknown: (detail: string) => void;
  };
  readonly sts: (call: StsCall) => void;
  /** Nobody counts these: their absence means that nobody is told. */
  readonly kms: ((call: KmsCall) => void) | undefined;
  readonly table: ((call: TableCall) => void) | undefined;
  readonly signing: (event: SigningEvent) => void;
  readonly cache: (event: CacheEvent) => void;
  readonly refusedBy: (limit: Limit) => void;
  readonly shedding: (begins: boolean) => void;
  readonly breakGlass: (edit: BrokenGlass) => void;
  readonly proposal: (event: ProposalEvent) => void;
  readonly reload: (event: ReloadEvent) => void;
  readonly tls: (listener: string) => TlsObserver;
}

export function observers({
  metrics,
  logger,
  identity,
  clock,
  traced,
}: ObserversOptions): Observers {
  return {
    audit: auditObserver(metrics, logger, clock),
    checkpoints: checkpointObserver(metrics, logger),
    copies: copyObserver(metrics, logger),
    denials: {
      onRepeat: () => metrics.repeatedDenials.inc(),
      onLost(denials) {
        logger.error({ denials }, 'repeated denials are missing in the audit log');
      },
    },
    keys: keysObserver(metrics, logger, poolNames(identity), traced),
    kms: traced?.kms,
    table: traced?.table,
    policy: policyObserver(metrics, logger),
    breakGlass: (edit) => {
      metrics.breakGlassEdits.inc();
      logger.error(edit, 'a role mapping is changed without the approval that it needs');
    },
    proposal: (event) => metrics.proposals.inc({ event }),
    reload: reloadObserver(metrics, logger, clock),
    emergency: emergencyObserver(logger, clock),
    sts(call) {
      const { region, outcome, durationMs } = call;
      traced?.sts(call);
      metrics.stsSeconds.observe({ region, result: outcome }, durationMs / 1000);
      if (outcome !== 'issued') logger.warn({ region, outcome, durationMs }, 'STS did not issue');
    },
    signing({ result, durationMs }) {
      metrics.webIdentitySeconds.observe({ result }, durationMs / 1000);
      if (result !== 'signed')
        logger.error({ result, durationMs }, 'a web identity token was not signed');
    },
    cache: cacheObserver(metrics),
    refusedBy: (limit) => metrics.refusedBy[limit].inc(),
    tls: (listener) => tlsObserver(metrics, logger, listener),
    shedding(begins) {
      if (begins) logger.warn('more requests than can be answered: some are refused unread');
      else logger.info('requests are no longer refused unread');
    },
  };
}

const logIntervalMs = 10_000;

function auditObserver(metrics: Metrics, logger: Logger, clock: Clock): AuditObserver {
  const mayLog = atMostEvery(logIntervalMs, clock);
  const count = (sink: string, result: string, records: number) => {
    metrics.auditRecords.child({ sink, result }).inc(records);
  };
  return {
    onCommit({ sink, records, durationMs }) {
      count(sink, 'kept', records);
      metrics.auditSeconds.child({ sink }).observe(durationMs / 1000);
    },
    onFailure(event) {
      count(event.sink, event.reason, event.records);
      if (mayLog(`${event.sink} ${event.reason}`)) {
        logger.error(event, 'audit records are not kept; repeated at most every ten seconds');
      }
    },
    onAlarm(event) {
      metrics.auditChainBreaks.inc({ kind: event.reason });
      logger.error(event, 'the audit log on disk is not what was written');
    },
    onRoom(event) {
      if (event.withheld.length === 0) logger.info(event, 'the audit disk has room again');
      else
        logger.error(event, 'the audit disk fills up: its end is kept for more important records');
    },
  };
}

/** The note goes to the log as well: where that is collected, it is out of reach for whoever has this machine. */
function checkpointObserver(metrics: Metrics, logger: Logger): CheckpointObserver {
  return {
    onSigned(event) {
      metrics.auditCheckpoints.inc({ result: 'signed' });
      logger.info(event, 'audit checkpoint');
    },
    onFailure(event) {
      metrics.auditCheckpoints.inc({ result: event.failure });
      logger.error(event, 'no audit checkpoint; records are kept all the same');
    },
  };
}

function copyObserver(metrics: Metrics, logger: Logger): CopyObserver {
  return {
    onStored(event) {
      metrics.checkpointCopies.inc({ result: 'stored' });
      logger.debug(event, 'audit checkpoint is in S3');
    },
    onFailure(event) {
      metrics.checkpointCopies.inc({ result: event.failure });
      logger.error(event, 'audit checkpoint is not in S3, or not safe there; it is tried again');
    },
  };
}

function keysObserver(
  metrics: Metrics,
  logger: Logger,
  poolOf: ReadonlyMap<string, string>,
  traced: TracedCalls | undefined,
): JwksObserver {
  return {
    onFetch(fetched) {
      const { issuer, result, durationMs, error } = fetched;
      traced?.keys(fetched);
      metrics.keyFetches.inc({ pool: poolOf.get(issuer) ?? issuer, result });
      if (result === 'failed') logger.warn({ issuer, durationMs, err: error }, 'keys not fetched');
    },
    onStoreFailed({ issuer, operation, error }) {
      logger.warn({ issuer, operation, err: error }, 'stored keys cannot be used');
    },
  };
}

function policyObserver(metrics: Metrics, logger: Logger): PolicySyncObserver {
  return {
    onPoll({ result, durationMs }) {
      metrics.policyPolls.observe({ result }, durationMs / 1000);
    },
    onApplied(event) {
      metrics.policyMappings.set(event.mappings);
      metrics.policyQuarantined.set(event.quarantined);
      if (event.lagMs !== undefined) metrics.policyLag.set(event.lagMs / 1000);
      logger.info(event, 'policy applied');
    },
    onFailure(error) {
      logger.warn({ err: error }, 'the role-mapping table was not read');
    },
    onSnapshotFileFailed({ operation, error }) {
      logger.warn({ operation, err: error }, 'the policy snapshot file cannot be used');
    },
    onAlarm(kind) {
      metrics.policyAlarms.inc({ kind });
      metrics.policyAlarmActive.set({ kind }, 1);
      logger.error({ kind }, 'policy alarm');
    },
    onUnexplained(ids) {
      const rows = ids.slice(0, 20);
      logger.error({ rows, count: ids.length }, 'rows of the table that no change explains');
    },
    onAlarmOver(kind) {
      metrics.policyAlarmActive.set({ kind }, 0);
      logger.info({ kind }, 'policy alarm is over');
    },
  };
}

function reloadObserver(
  metrics: Metrics,
  logger: Logger,
  clock: Clock,
): (event: ReloadEvent) => void {
  return ({ outcome, by, settings, faults, error }) => {
    metrics.configReloads.inc({ outcome });
    const done = outcome === 'reloaded' || outcome === 'unchanged';
    metrics.configReloadSuccessful.set(done ? 1 : 0);
    if (done) {
      metrics.configReloadSuccessTime.set(clock.now() / 1000);
      logger.info({ by, outcome, settings }, 'the configuration was read again');
    } else {
      const event = {
        by,
        outcome,
        settings: firstOf(settings),
        faults: firstOf(faults),
        faultCount: faults.length,
        ...(error === undefined ? {} : { err: error }),
      };
      logger.error(event, 'the configuration is not taken over: nothing changes');
    }
  };
}

/** A line as long as a configuration would not be written at all. */
const maxLogged = { lines: 50, characters: 500 };

function firstOf(lines: readonly string[]): readonly string[] {
  return lines.slice(0, maxLogged.lines).map((line) => line.slice(0, maxLogged.characters));
}

function emergencyObserver(logger: Logger, clock: Clock): Observers['emergency'] {
  const mayLog = atMostEvery(logIntervalMs, clock);
  return {
    onChange({ state, denies: { denies, tokens }, detail }) {
      const event = { state, denies: denies.length, tokens: tokens.size };
      if (state === 'absent')
        logger.warn(event, 'the emergency file is gone: its denies are lifted');
      else if (state === 'in_force') logger.error(event, 'the emergency file denies');
      else logger.error({ ...event, detail }, 'the emergency file cannot be used: all is denied');
    },
    onUnknown(detail) {
      if (mayLog(detail))
        logger.error({ detail }, 'the emergency file was not read: nothing changes');
    },
  };
}

function tlsObserver(metrics: Metrics, logger: Logger, listener: string): TlsObserver {
  let refused: string | undefined;
  return {
    onInUse({ notAfter, reloaded }) {
      refused = undefined;
      metrics.certificateEnd.set({ listener }, notAfter / 1000);
      if (!reloaded) return;
      metrics.tlsReloads.inc({ listener });
      logger.info({ listener, notAfter: new Date(notAfter).toISOString() }, 'certificate renewed');
    },
    onRefused({ fault, setting, message }) {
      metrics.tlsRefusedFiles.inc({ listener, fault });
      // Looked at every few seconds until it is mended: said once.
      if (message === refused) return;
      refused = message;
      const event = { setting: `listeners.${listener}.tls.${setting}`, fault, detail: message };
      logger.error(event, 'files for TLS refused: the certificate in use stays');
    },
    onHandshakeFailed(failure) {
      metrics.handshakeFailures.inc({ listener, failure });
    },
  };
}

function cacheObserver({ cacheEvents }: Metrics): (event: CacheEvent) => void {
  const counters = new Map<CacheEvent, { inc(): void }>();
  return (event) => {
    let counter = counters.get(event);
    if (counter === undefined) {
      counter = cacheEvents.child({ event });
      counters.set(event, counter);
    }
    counter.inc();
  };
}

/** By `iss`. */
function poolNames(identity: Config['identity']): ReadonlyMap<string, string> {
  const issuers = trustedIssuers(trustedIssuersOf(identity));
  return new Map([...issuers].map(([issuer, entries]) => [issuer, labelOf(entries)]));
}
