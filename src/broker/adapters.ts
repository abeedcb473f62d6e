import { DecisionTail } from '../audit/decision-tail.ts';
import { RepeatedDenials } from '../audit/repeated-denials.ts';
import type { Config } from '../config/schema.ts';
import { policyWithDenies, refusingDenied } from '../core/denies-in-force.ts';
import { mayBeKept } from '../core/policy/decide.ts';
import { noDenies } from '../core/policy/emergency-denies.ts';
import type { PolicySource } from '../core/ports.ts';
import { snapshotInForce } from '../core/snapshot-in-force.ts';
import type { TrustedIssuer } from '../identity/providers/provider.ts';
import { trustedIssuers } from '../identity/trusted-issuers.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { callerLimit } from '../limits/caller-limit.ts';
import { CredentialCache } from '../sts/credential-cache.ts';
import { RecordedRenewals } from '../sts/recorded-renewals.ts';
import type { RequestTraces } from '../telemetry/request-traces.ts';
import { configuredAuditLog } from './configured/audit-log.ts';
import { configuredJwks, configuredValidator, failedTokenLimit } from './configured/callers.ts';
import {
  configuredEmergencyFile,
  configuredPolicySync,
  configuredTable,
  type TableTimeouts,
} from './configured/policy.ts';
import { configuredSeal } from './configured/seal.ts';
import { configuredIssuer, configuredSts } from './configured/sts.ts';
import { configuredTokenIssuer } from './configured/token-issuer.ts';
import type { Observers } from './observers.ts';
import { liveRate, type RunningSettings } from './running-settings.ts';
import { tracedAudit } from './traced-calls.ts';

export interface AdapterOptions {
  readonly config: Config;
  readonly running: RunningSettings;
  readonly clock: Clock;
  readonly observe: Observers;
  /** Absent: no request is traced. */
  readonly traces: RequestTraces | undefined;
  readonly version: string;
  readonly refusalWindowMs?: number | undefined;
  readonly tableTimeouts?: TableTimeouts | undefined;
}

export type Adapters = ReturnType<typeof createAdapters>;

export function createAdapters(options: AdapterOptions) {
  const { config, running, clock, observe } = options;
  const { issuers: trusted } = running.now;
  const issuers = trustedIssuers(trusted);
  const keys = configuredJwks(options, issuers);
  const seal = configuredSeal(config, clock, observe.kms);
  const { table, client } = configuredTable(options, seal);
  const tokens = configuredValidator(options, trusted, keys);
  const sts = configuredSts(options, tokens);
  const { audit, sequence, checkpointer, copies } = configuredAuditLog(options);
  const webIdentity = configuredTokenIssuer(config, clock, observe.signing, observe.kms);
  const awaited = tracedAudit(audit, options.traces, clock);
  const forms = { sts, tokens: webIdentity, audit: awaited };
  const cache = new CredentialCache({
    issuer: new RecordedRenewals({ issuer: configuredIssuer(options, forms), audit, clock }),
    clock,
    maxEntries: config.cache.maxEntries,
    maxEntriesPerCaller: config.cache.maxEntriesPerCaller,
    maxBytes: config.cache.maxBytes,
    maxRenewals: config.cache.maxBackgroundRefreshes,
    observer: observe.cache,
  });
  const purge = () => purgeRevoked(cache, inForce);
  const policy = configuredPolicySync(options, { table, seal, onChange: purge });
  const decisions = new DecisionTail({ log: awaited, startedAt: clock.now() });
  const emergency = configuredEmergencyFile(options, audit, purge);
  const denies = () => emergency?.file.denies() ?? noDenies;
  const inForce = policyWithDenies(policy, denies);
  const failedTokens = {
    api: failedTokenLimit(options, tokens),
    // Counts for itself: who floods the api listener must not keep administrators from freezing something.
    admin: failedTokenLimit(options, tokens),
  };
  return {
    audit,
    auditSequence: sequence,
    checkpointer,
    checkpointCopies: copies,
    /** The same log, for what requests leave: refusals that are alike are counted. */
    requestAudit: new RepeatedDenials({
      // Only administrators look at the tail: where there are none, it is not on the way.
      log: config.admin === undefined ? awaited : decisions,
      clock,
      observer: observe.denials,
      windowMs: options.refusalWindowMs,
      hasRoomFor: (purpose) => audit.hasRoomFor(purpose),
    }),
    trusted,
    decisions,
    issuers,
    keys,
    tokens,
    failedTokens,
    validator: refusingDenied(failedTokens.api, denies),
    adminValidator: refusingDenied(failedTokens.admin, denies),
    limit: callerLimit({
      rate: liveRate(running, 'perCaller'),
      clock,
      onRefused: () => observe.refusedBy('caller'),
    }),
    table,
    seal,
    dynamodb: client,
    /** Follows the table. */
    policy,
    /** The same, with what the emergency file denies: what is decided by. */
    inForce,
    emergency,
    sts,
    /** The broker as an issuer; undefined where it issues no tokens. */
    webIdentity,
    cache,
    /** After another configuration: nobody is served any more who is not in it. */
    trust(now: readonly TrustedIssuer[]) {
      tokens.trust(now);
      cache.purge((plan) => !tokens.accepts(plan.caller));
    },
  };
}

/** Nobody is served from the cache without a decision; what is revoked need not lie in memory either (T31). */
function purgeRevoked(cache: CredentialCache, policy: PolicySource): void {
  // Too old to decide by: then nothing that was granted under it is worth keeping.
  const snapshot = snapshotInForce(policy);
  cache.purge((plan) => snapshot === undefined || !mayBeKept(snapshot, plan));
}
