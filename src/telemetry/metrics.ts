/** Every metric of the service, declared in one place. Labels come from closed sets only; docs/metrics.md lists them. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type CounterChild, HotCounter, HotHistogram } from './hot-metrics.ts';

const requestBuckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];
const stsBuckets = [0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5];
const auditBuckets = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1];
const tableBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** prom-client names these as if they were counters, which `promtool check metrics` rejects. */
const misnamed = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
];

/** What requests are refused by because there are too many of them. */
const limitNames = [
  'caller',
  'failed_tokens',
  'in_flight',
  'event_loop',
  'sts_account',
  'sts_caller',
] as const;
export type Limit = (typeof limitNames)[number];

export type Metrics = ReturnType<typeof createMetrics>;

export interface BuildInfo {
  readonly version: string;
  /** Commit that it was built from; `unknown` where nobody said. */
  readonly revision: string;
  readonly node: string;
}

/** Gauges that are read from their owners at scrape time. */
export interface Readings {
  /** Undefined before the first load. */
  readonly policy: () => {
    readonly revision: number | undefined;
    readonly ageSeconds: number | undefined;
  };
  /** Undefined where there is no emergency file in the configuration. */
  readonly emergency: () =>
    | { readonly denies: number; readonly ageSeconds: number | undefined }
    | undefined;
  readonly cache: () => { readonly entries: number; readonly bytes: number };
  /** Undefined where records are on no disk. */
  readonly auditDisk: () =>
    | { readonly freeBytes: number; readonly reserveBytes: number }
    | undefined;
  /** Number of the last durable record; undefined where no file is written, or none is open. */
  readonly auditSequence: () => number | undefined;
  /** Undefined where none are signed. */
  readonly checkpoint: () =>
    | { readonly seq: number | undefined; readonly ageSeconds: number }
    | undefined;
  /** Undefined where none are copied. */
  readonly checkpointCopyLagSeconds: () => number | undefined;
  /** Seconds since the last successful fetch, per pool; absent before the first. */
  readonly keyAges: () => Iterable<readonly [pool: string, seconds: number]>;
}

export function createMetrics(build: BuildInfo) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);
  const registers = [registry];

  new Gauge({
    name: 'tokenbroker_build_info',
    help: 'Always 1; the labels say which build this is.',
    labelNames: ['version', 'revision', 'node'],
    registers,
  }).set({ version: build.version, revision: build.revision, node: build.node }, 1);

  const inFlight = { api: { requests: 0 }, others: { requests: 0 } };
  new Gauge({
    name: 'tokenbroker_http_requests_in_flight',
    help: 'Requests being answered.',
    registers,
    collect() {
      this.set(inFlight.api.requests + inFlight.others.requests);
    },
  });

  const limitRefusals = new HotCounter({
    registry,
    name: 'tokenbroker_limit_refusals_total',
    help: 'Requests refused because there were too many, by the limit that was reached.',
    labels: ['limit'],
  });
  // All of them are there from the start: rates of a series that appears with its first event miss that event.
  const refusedBy = Object.fromEntries(
    limitNames.map((limit) => [limit, limitRefusals.child({ limit })]),
  ) as Record<Limit, CounterChild>;

  return {
    registry,
    inFlight,
    refusedBy,
    requestSeconds: new HotHistogram({
      registry,
      name: 'tokenbroker_http_request_duration_seconds',
      help: 'Time from the arrival of the request headers to the end of the answer.',
      labels: ['route', 'status_class'],
      buckets: requestBuckets,
    }),
    connectionErrors: new Counter({
      name: 'tokenbroker_http_connection_errors_total',
      help: 'Connections that sent something that is not acceptable HTTP.',
      labelNames: ['listener', 'code'],
      registers,
    }),
    handshakeFailures: new Counter({
      name: 'tokenbroker_tls_handshake_failures_total',
      help: 'TLS handshakes that were not completed.',
      labelNames: ['listener', 'failure'],
      registers,
    }),
    tlsReloads: new Counter({
      name: 'tokenbroker_tls_reloads_total',
      help: 'Renewed certificates that were taken over.',
      labelNames: ['listener'],
      registers,
    }),
    tlsRefusedFiles: new Counter({
      name: 'tokenbroker_tls_refused_files_total',
      help: 'Looks at the files of a certificate that found what cannot be used.',
      labelNames: ['listener', 'fault'],
      registers,
    }),
    certificateEnd: new Gauge({
      name: 'tokenbroker_tls_certificate_expiry_timestamp_seconds',
      help: 'When the certificate in use ends.',
      labelNames: ['listener'],
      registers,
    }),
    credentialRequests: new HotCounter({
      registry,
      name: 'tokenbroker_credential_requests_total',
      help: 'Requests for credentials by route and outcome.',
      labels: ['route', 'outcome'],
    }),
    warmSeconds: new HotHistogram({
      registry,
      name: 'tokenbroker_warm_exchange_duration_seconds',
      help: 'Time to decide on and record a request that is answered from the credential cache.',
      labels: [],
      buckets: requestBuckets,
    }).child({}),
    refusals: new HotCounter({
      registry,
      name: 'tokenbroker_refusals_total',
      help: 'Refused requests for credentials by error code and, for denials, the reason.',
      labels: ['code', 'reason'],
    }),
    stsSeconds: new Histogram({
      name: 'tokenbroker_sts_request_duration_seconds',
      help: 'Time of one try of AssumeRoleWithWebIdentity by region and result.',
      labelNames: ['region', 'result'],
      buckets: stsBuckets,
      registers,
    }),
    webIdentitySeconds: new Histogram({
      name: 'tokenbroker_web_identity_signing_duration_seconds',
      help: 'Time of one signature under a web identity token of the broker, by result.',
      labelNames: ['result'],
      buckets: stsBuckets,
      registers,
    }),
    cacheEvents: new HotCounter({
      registry,
      name: 'tokenbroker_credential_cache_events_total',
      help: 'Hits, misses and other events of the credential cache.',
      labels: ['event'],
    }),
    policyPolls: new Histogram({
      name: 'tokenbroker_policy_poll_duration_seconds',
      help: 'Time of one look at the role-mapping table by result.',
      labelNames: ['result'],
      buckets: tableBuckets,
      registers,
    }),
    policyMappings: new Gauge({
      name: 'tokenbroker_policy_mappings',
      help: 'Role mappings in force.',
      registers,
    }),
    policyQuarantined: new Gauge({
      name: 'tokenbroker_policy_quarantined_mappings',
      help: 'Rows of the table that cannot be used as they are.',
      registers,
    }),
    policyLag: new Gauge({
      name: 'tokenbroker_policy_lag_seconds',
      help: 'Time between the latest edit that was applied and its application here.',
      registers,
    }),
    policyAlarms: new Counter({
      name: 'tokenbroker_policy_alarms_total',
      help: 'Reads of the table that were not applied because they looked wrong.',
      labelNames: ['kind'],
      registers,
    }),
    breakGlassEdits: new Counter({
      name: 'tokenbroker_break_glass_edits_total',
      help: 'Edits of role mappings that needed a second administrator and did without.',
      registers,
    }),
    proposals: new Counter({
      name: 'tokenbroker_proposals_total',
      help: 'Edits that wait for a second administrator: those made here, and those that came to an end here.',
      labelNames: ['event'],
      registers,
    }),
    policyAlarmActive: new Gauge({
      name: 'tokenbroker_policy_alarm_active',
      help: 'Whether an alarm of the role-mapping table is on.',
      labelNames: ['kind'],
      registers,
    }),
    keyFetches: new Counter({
      name: 'tokenbroker_jwks_fetches_total',
      help: 'Fetches of key sets by pool and result.',
      labelNames: ['pool', 'result'],
      registers,
    }),
    auditRecords: new HotCounter({
      registry,
      name: 'tokenbroker_audit_records_total',
      help: 'Audit records by sink and result.',
      labels: ['sink', 'result'],
    }),
    auditChainBreaks: new Counter({
      name: 'tokenbroker_audit_chain_breaks_total',
      help: 'Times that the audit log on disk was not what was written.',
      labelNames: ['kind'],
      registers,
    }),
    auditCheckpoints: new Counter({
      name: 'tokenbroker_audit_checkpoints_total',
      help: 'Checkpoints of the audit log by result.',
      labelNames: ['result'],
      registers,
    }),
    checkpointCopies: new Counter({
      name: 'tokenbroker_audit_checkpoint_copies_total',
      help: 'Copies of checkpoints to S3 by result.',
      labelNames: ['result'],
      registers,
    }),
    configReloads: new Counter({
      name: 'tokenbroker_config_reloads_total',
      help: 'Times that the configuration file was read again, by what became of it.',
      labelNames: ['outcome'],
      registers,
    }),
    configReloadSuccessful: new Gauge({
      name: 'tokenbroker_config_last_reload_successful',
      help: 'Whether the configuration file is in use as it was when it was last read.',
      registers,
    }),
    configReloadSuccessTime: new Gauge({
      name: 'tokenbroker_config_last_reload_success_timestamp_seconds',
      help: 'When the configuration file was last read and is in use: at the start, or by a reload.',
      registers,
    }),
    repeatedDenials: new Counter({
      name: 'tokenbroker_audit_repeated_denials_total',
      help: 'Refused requests that share an audit record with others like them.',
      registers,
    }),
    tracedRequests: new Counter({
      name: 'tokenbroker_traced_requests_total',
      help: 'Requests whose caller keeps a trace, by what became of it here.',
      labelNames: ['result'],
      registers,
    }),
    traceSpans: new Counter({
      name: 'tokenbroker_trace_spans_total',
      help: 'Spans by what became of them.',
      labelNames: ['result'],
      registers,
    }),
    auditSeconds: new HotHistogram({
      registry,
      name: 'tokenbroker_audit_commit_duration_seconds',
      help: 'Time to make one group of audit records durable.',
      labels: ['sink'],
      buckets: auditBuckets,
    }),
  };
}

/** Registers the gauges that ask their owners; called once everything exists. */
export function registerReadings(
  registry: Registry,
  {
    policy,
    emergency,
    cache,
    auditDisk,
    auditSequence,
    checkpoint,
    checkpointCopyLagSeconds,
    keyAges,
  }: Readings,
): void {
  const gauge = (name: string, help: string, read: () => number | undefined) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  gauge('tokenbroker_policy_revision', 'Revision of the policy in force.', () => policy().revision);
  gauge(
    'tokenbroker_policy_age_seconds',
    'Time since the table last answered.',
    () => policy().ageSeconds,
  );
  gauge(
    'tokenbroker_emergency_denies',
    'Denies of the emergency file that are in force.',
    () => emergency()?.denies,
  );
  gauge(
    'tokenbroker_emergency_file_age_seconds',
    'Time since the emergency file was last absent, or such that it can be used.',
    () => emergency()?.ageSeconds,
  );
  gauge('tokenbroker_credential_cache_entries', 'Sessions in the cache.', () => cache().entries);
  gauge('tokenbroker_credential_cache_bytes', 'Estimated size of the cache.', () => cache().bytes);
  gauge(
    'tokenbroker_audit_disk_free_bytes',
    'Space on the disk of the audit log.',
    () => auditDisk()?.freeBytes,
  );
  gauge(
    'tokenbroker_audit_disk_reserve_bytes',
    'Space that is kept for the records of administrators.',
    () => auditDisk()?.reserveBytes,
  );
  gauge('tokenbroker_audit_sequence', 'Number of the last durable audit record.', auditSequence);
  gauge(
    'tokenbroker_audit_checkpoint_sequence',
    'Number of the last audit record that a checkpoint covers.',
    () => checkpoint()?.seq,
  );
  gauge(
    'tokenbroker_audit_checkpoint_age_seconds',
    'Time since a checkpoint covered every audit record.',
    () => checkpoint()?.ageSeconds,
  );
  gauge(
    'tokenbroker_audit_checkpoint_copy_lag_seconds',
    'Time for which S3 has lacked a checkpoint that was signed.',
    checkpointCopyLagSeconds,
  );
  new Gauge({
    name: 'tokenbroker_jwks_age_seconds',
    help: 'Time since the key set of a pool was last fetched.',
    labelNames: ['pool'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [pool, seconds] of keyAges()) this.set({ pool }, seconds);
    },
  });
}
