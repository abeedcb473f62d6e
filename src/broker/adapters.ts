/** Builds the adapters as configuration describes them. */

import { createWriteStream } from 'node:fs';
import { ChainedAuditLog } from '../audit/audit-log.ts';
import type { AuditSink } from '../audit/audit-sink.ts';
import { CheckpointCopies } from '../audit/checkpoints/checkpoint-copies.ts';
import { Checkpointer } from '../audit/checkpoints/checkpointer.ts';
import { LockedBucket } from '../audit/checkpoints/locked-bucket.ts';
import { readCovered } from '../audit/checkpoints/signed-state.ts';
import { DecisionTail } from '../audit/decision-tail.ts';
import { EmergencyRecords } from '../audit/emergency-records.ts';
import { FileSink } from '../audit/file-sink.ts';
import type { ChainHead } from '../audit/hash-chain.ts';
import { RepeatedDenials } from '../audit/repeated-denials.ts';
import { StdoutSink } from '../audit/stdout-sink.ts';
import { trustedIssuersOf } from '../config/configured-issuers.ts';
import { mappingRules, webIdentityRules } from '../config/mapping-rules.ts';
import type { Config } from '../config/schema.ts';
import { policyWithDenies, refusingDenied } from '../core/denies-in-force.ts';
import { mayBeKept } from '../core/policy/decide.ts';
import { noDenies } from '../core/policy/emergency-denies.ts';
import { snapshotInForce } from '../core/policy/snapshot-in-force.ts';
import type { AuditLog, CredentialIssuer, IssuerKeyView, PolicySource } from '../core/ports.ts';
import { createDynamoDbClient } from '../dynamodb/dynamodb-client.ts';
import { PolicySync } from '../dynamodb/policy-sync.ts';
import { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import type { TableSeal } from '../dynamodb/table-seal.ts';
import { JwksSource } from '../identity/keys/jwks-source.ts';
import type { TrustedIssuer } from '../identity/providers/provider.ts';
import { CognitoTokenValidator } from '../identity/token-validator.ts';
import { type TrustedIssuers, trustedIssuers } from '../identity/trusted-issuers.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { callerLimit } from '../limits/caller-limit.ts';
import { FailedTokenLimit } from '../limits/failed-token-limit.ts';
import { EmergencyFile } from '../mapping-files/emergency-file.ts';
import { configuredSigner } from '../signing/configured-signer.ts';
import { AccountLimit } from '../sts/account-limit.ts';
import { CallerShare } from '../sts/caller-share.ts';
import { CallersOwnToken } from '../sts/callers-own-token.ts';
import { CredentialCache } from '../sts/credential-cache.ts';
import { RecordedRenewals } from '../sts/recorded-renewals.ts';
import { RememberedRefusals } from '../sts/remembered-refusals.ts';
import { StsWebIdentityAdapter } from '../sts/web-identity-adapter.ts';
import {
  WebIdentityForms,
  type WebIdentityFormsOptions,
} from '../web-identity/web-identity-forms.ts';
import { configuredSeal } from './configured-seal.ts';
import { configuredTokenIssuer } from './configured-token-issuer.ts';
import type { Observers } from './observers.ts';

export interface AdapterOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly observe: Observers;
  readonly version: string;
  readonly refusalWindowMs?: number | undefined;
}

export type Adapters = ReturnType<typeof createAdapters>;

export function createAdapters(options: AdapterOptions) {
  const { config, clock, observe } = options;
  const trusted = trustedIssuersOf(config.identity);
  const issuers = trustedIssuers(trusted);
  const keys = jwksSource(options, issuers);
  const seal = configuredSeal(config, clock);
  const { table, client } = mappingTable(options, seal);
  const tokens = tokenValidator(options, trusted, keys);
  const sts = stsAdapter(options, tokens);
  const { audit, sequence, checkpointer, copies } = auditLog(options);
  const webIdentity = configuredTokenIssuer(config, clock, observe.signing);
  const forms = { sts, tokens: webIdentity, audit };
  const cache = new CredentialCache({
    issuer: new RecordedRenewals({ issuer: credentialIssuer(options, forms), audit, clock }),
    clock,
    maxEntries: config.cache.maxEntries,
    maxEntriesPerCaller: config.cache.maxEntriesPerCaller,
    maxBytes: config.cache.maxBytes,
    maxRenewals: config.cache.maxBackgroundRefreshes,
    observer: observe.cache,
  });
  const purge = () => purgeRevoked(cache, inForce);
  const policy = policySync(options, { table, seal, onChange: purge });
  const decisions = new DecisionTail({ log: audit });
  const emergency = emergencyFile(options, audit, purge);
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
      log: config.admin === undefined ? audit : decisions,
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
      rate: config.limits.perCaller,
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
  };
}

/** What is behind the cache: what refuses without STS, what spends its quota, and the token that it is shown. */
function credentialIssuer(
  { config, clock, observe }: AdapterOptions,
  forms: Pick<WebIdentityFormsOptions, 'sts' | 'tokens' | 'audit'>,
): CredentialIssuer {
  const { byDefault } = webIdentityRules(config);
  return new CallersOwnToken({
    byDefault,
    issuer: new RememberedRefusals({
      issuer: new CallerShare({
        issuer: new AccountLimit({
          issuer: new WebIdentityForms({ ...forms, byDefault, clock }),
          rate: config.sts.perAccount,
          clock,
          onRefused: () => observe.refusedBy('sts_account'),
        }),
        maxInFlight: config.sts.maxConcurrent,
        onRefused: () => observe.refusedBy('sts_caller'),
      }),
      clock,
    }),
  });
}

function failedTokenLimit(
  { config, clock, observe }: AdapterOptions,
  validator: CognitoTokenValidator,
): FailedTokenLimit {
  return new FailedTokenLimit({
    validator,
    rate: config.limits.failedTokensPerAddress,
    blocks: { ipv4: config.limits.addressBitsIpv4, ipv6: config.limits.addressBitsIpv6 },
    clock,
    onRefused: () => observe.refusedBy('failed_tokens'),
  });
}

interface AuditParts {
  readonly audit: ChainedAuditLog;
  /** Number of the last durable record; undefined where no file is written, or none is open. */
  readonly sequence: () => number | undefined;
  readonly checkpointer: Checkpointer | undefined;
  readonly copies: CheckpointCopies | undefined;
}

function auditLog(options: AdapterOptions): AuditParts {
  const { config, clock, observe, version } = options;
  const { directory, stdout, deadlineMs, maxQueuedRecords, checkpoints } = config.audit;
  const { rotateBytes, rotateAfterSeconds, reserveBytes } = config.audit;
  const common = { clock, version, observer: observe.audit, deadlineMs, maxQueuedRecords };
  const sinks: AuditSink[] = [];
  let file: FileSink | undefined;
  if (directory !== undefined) {
    file = new FileSink({
      ...common,
      directory,
      rotateBytes,
      rotateAfterSeconds,
      reserveBytes,
      ...(checkpoints === undefined ? {} : { covered: () => readCovered(directory) }),
    });
    sinks.push(file);
  }
  if (stdout) {
    // process.stdout would block the whole process when its reader stops reading.
    const stream = createWriteStream('', { fd: 1, autoClose: false });
    sinks.push(new StdoutSink({ ...common, stream }));
  }
  const [durable, ...secondary] = sinks;
  if (durable === undefined) throw new TypeError('configuration must name an audit sink');
  const audit = new ChainedAuditLog({
    durable: [durable],
    secondary,
    onNoRoom: (sink) => observe.audit.onFailure?.({ sink, reason: 'no_room', records: 1 }),
  });
  const durableHead = () => file?.durableHead();
  const copies = copiesOf(options);
  return {
    audit,
    sequence: () => durableHead()?.seq,
    checkpointer: checkpointerOf(options, { durableHead, copies }),
    copies,
  };
}

function copiesOf({ config, clock, observe }: AdapterOptions): CheckpointCopies | undefined {
  const s3 = config.audit.checkpoints?.s3;
  if (s3 === undefined) return undefined;
  const { deadlineMs, ...bucket } = s3;
  return new CheckpointCopies({
    store: new LockedBucket({ ...bucket, requestTimeoutMs: deadlineMs / 2 }),
    deadlineMs,
    clock,
    observer: observe.copies,
  });
}

interface CheckpointParts {
  readonly durableHead: () => ChainHead | undefined;
  readonly copies: CheckpointCopies | undefined;
}

function checkpointerOf(
  { config, clock, observe }: AdapterOptions,
  { durableHead, copies }: CheckpointParts,
): Checkpointer | undefined {
  const { directory, checkpoints } = config.audit;
  if (directory === undefined || checkpoints === undefined) return undefined;
  const { origin, intervalSeconds, everyRecords, deadlineMs } = checkpoints;
  const signer = configuredSigner(checkpoints, deadlineMs);
  if (signer === undefined) throw new TypeError('configuration must name a key for checkpoints');
  return new Checkpointer({
    directory,
    origin,
    signer,
    durableHead,
    intervalMs: intervalSeconds * 1000,
    everyRecords,
    deadlineMs,
    copies,
    clock,
    observer: observe.checkpoints,
  });
}

function jwksSource({ config, clock, observe }: AdapterOptions, issuers: TrustedIssuers) {
  const { refreshSeconds, maxAgeSeconds, cooldownSeconds, timeoutMs, directory } = config.keys;
  return new JwksSource({
    issuers: [...issuers.values()].map(([issuer]) => issuer),
    clock,
    observer: observe.keys,
    refreshIntervalMs: refreshSeconds * 1000,
    maxAgeMs: maxAgeSeconds * 1000,
    missCooldownMs: cooldownSeconds * 1000,
    fetchTimeoutMs: timeoutMs,
    directory,
  });
}

function mappingTable({ config, clock }: AdapterOptions, seal: TableSeal | undefined) {
  const { table, region, endpoint } = config.policy;
  const client = createDynamoDbClient({ region, endpoint });
  const rules = mappingRules(config);
  return { client, table: new RoleMappingTable({ client, tableName: table, rules, clock, seal }) };
}

/** Which issuer's tokens a pool's callers bring. */
export function issuersByPool(trusted: readonly TrustedIssuer[]): ReadonlyMap<string, string> {
  return new Map(trusted.map(({ name, issuer }) => [name, issuer]));
}

/** Undefined where the configuration has none. Its denies are in force before they are on record. */
function emergencyFile(
  { config, clock, observe }: AdapterOptions,
  audit: AuditLog,
  onChange: () => void,
) {
  const { emergencyFile: path } = config.policy;
  if (path === undefined) return undefined;
  const records = new EmergencyRecords({ audit, clock });
  const file = new EmergencyFile({
    path,
    pools: new Set(trustedIssuersOf(config.identity).map(({ name }) => name)),
    clock,
    onUnknown: observe.emergency.onUnknown,
    onChange(change) {
      onChange();
      observe.emergency.onChange(change);
      const { state: outcome, denies, sha256: fileSha256, detail } = change;
      records.add({ outcome, ...denies, tokens: [...denies.tokens], fileSha256, detail });
    },
  });
  return { file, records };
}

/** Nobody is served from the cache without a decision; what is revoked need not lie in memory either (T31). */
function purgeRevoked(cache: CredentialCache, policy: PolicySource): void {
  // Too old to decide by: then nothing that was granted under it is worth keeping.
  const snapshot = snapshotInForce(policy);
  cache.purge((plan) => snapshot === undefined || !mayBeKept(snapshot, plan));
}

interface PolicySyncParts {
  readonly table: RoleMappingTable;
  readonly seal: TableSeal | undefined;
  readonly onChange: () => void;
}

function policySync(
  { config, clock, observe }: AdapterOptions,
  { table, seal, onChange }: PolicySyncParts,
): PolicySync {
  const { pollSeconds, reloadSeconds, maxAgeSeconds, snapshotFile, acceptShrink } = config.policy;
  return new PolicySync({
    table,
    rules: mappingRules(config),
    clock,
    observer: {
      ...observe.policy,
      onApplied(event) {
        observe.policy.onApplied?.(event);
        onChange();
      },
    },
    pollIntervalMs: pollSeconds * 1000,
    reloadSeconds,
    maxAgeSeconds,
    acceptShrink,
    seal,
    ...(snapshotFile === undefined ? {} : { snapshotFile }),
  });
}

function tokenValidator(
  { config: { identity }, clock }: AdapterOptions,
  issuers: readonly TrustedIssuer[],
  keys: JwksSource,
): CognitoTokenValidator {
  return new CognitoTokenValidator({
    issuers,
    keys,
    clock,
    matchableClaims: new Set(identity.matchableClaims),
    maxTokenBytes: identity.maxTokenBytes,
    maxTokenAgeSeconds: identity.maxTokenAgeSeconds,
    clockToleranceSeconds: identity.clockToleranceSeconds,
    maxVerifiedTokens: identity.maxVerifiedTokens,
  });
}

function stsAdapter(
  { config, clock, observe }: AdapterOptions,
  keys: IssuerKeyView,
): StsWebIdentityAdapter {
  const { endpoints, connectTimeoutMs, requestTimeoutMs, totalTimeoutMs, maxConcurrent } =
    config.sts;
  const [first, ...others] = endpoints.map(({ region, endpoint }) => ({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
  }));
  if (first === undefined) throw new TypeError('configuration must name an STS endpoint');
  return new StsWebIdentityAdapter({
    endpoints: [first, ...others],
    clock,
    connectTimeoutMs,
    requestTimeoutMs,
    totalTimeoutMs,
    maxInFlight: maxConcurrent,
    keys,
    observer: observe.sts,
  });
}
