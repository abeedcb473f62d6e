/** The composition root: puts the parts together, starts them in order and ends them in order. */

import type { Express } from 'express';
import { adminAccess } from '../config/admin-access.ts';
import { writingRules } from '../config/mapping-rules.ts';
import type { Config, ListenerConfig } from '../config/schema.ts';
import type { RequestContext } from '../core/audit-record.ts';
import type { BrokerError } from '../core/errors.ts';
import { createExchange } from '../core/exchange.ts';
import { snapshotInForce } from '../core/policy/snapshot-in-force.ts';
import { adminApp } from '../http/admin/admin-app.ts';
import { admission } from '../http/admission.ts';
import { apiApp } from '../http/api/api-app.ts';
import { overloadGuard } from '../http/api/overload-guard.ts';
import { clientIp } from '../http/client-ip.ts';
import { formFinder } from '../http/forms/form-finder.ts';
import { wireForms } from '../http/forms/wire-forms.ts';
import { identityApp } from '../http/identity/identity-app.ts';
import { type Instrument, instrument } from '../http/instrument.ts';
import { type HealthCheck, opsApp } from '../http/ops/ops-app.ts';
import { RefusalLog } from '../http/refusal-log.ts';
import { type Listener, type ListenerTimeouts, startListener } from '../http/server.ts';
import { labelOf } from '../identity/trusted-issuers.ts';
import { LoadShedder } from '../kit/calls/load-shedder.ts';
import { type Clock, systemClock } from '../kit/timing/clock.ts';
import { orAborted } from '../kit/timing/or-aborted.ts';
import { sleep } from '../kit/timing/sleep.ts';
import type { FailedTokenLimit } from '../limits/failed-token-limit.ts';
import type { Logger } from '../telemetry/logger.ts';
import {
  type BuildInfo,
  createMetrics,
  type Metrics,
  type Readings,
  registerReadings,
} from '../telemetry/metrics.ts';
import {
  discoveryPath,
  documentsCacheControl,
  keySetPath,
  publicDocuments,
} from '../web-identity/documents.ts';
import { type Adapters, createAdapters, issuersByPool } from './adapters.ts';
import { builtConsole, type ConfiguredConsole, configuredConsole } from './configured-console.ts';
import { declareSeries } from './declare-series.ts';
import { instanceStatus } from './instance-status.ts';
import { type Observers, observers } from './observers.ts';
import { listenerFailed, StartError } from './start-error.ts';
import { startTokenIssuer } from './start-token-issuer.ts';

export interface BrokerOptions {
  readonly config: Config;
  readonly build: BuildInfo;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Default: those of production. */
  readonly timeouts?: ListenerTimeouts;
  /** How late the event loop is; default: measured. */
  readonly eventLoopDelayMs?: () => number;
  /** How long refusals that are alike are counted before they are recorded. Default: ten seconds. */
  readonly refusalWindowMs?: number;
  /** Where the build has put the console; default: beside this program. */
  readonly consoleDirectory?: string;
}

export interface BrokerUrls {
  readonly api: string;
  readonly ops: string;
  /** Absent when configuration names no administrators. */
  readonly admin?: string;
  /** Absent unless configuration says that the documents are served here. */
  readonly identity?: string;
}

export interface Broker {
  /**
   * Resolves when all listeners answer. Once.
   *
   * @throws StartError when a port, a certificate or the audit log cannot be had, or `stop()` was called meanwhile;
   * by then everything that had been started is ended.
   */
  start(): Promise<BrokerUrls>;
  /** Drains, closes and flushes; a start under way is given up. May be called at any time, and again. */
  stop(options?: StopOptions): Promise<void>;
}

export interface StopOptions {
  /** `false` where nobody was told that there is anything to be served: connections are cut. Default: true. */
  readonly drain?: boolean;
}

interface Lifecycle {
  draining: boolean;
  /** Of each listener with TLS: whether it completes any. */
  readonly handshakes: Map<string, () => boolean>;
  /** Undefined before the listener listens. */
  adminUrl: string | undefined;
}

export function createBroker(options: BrokerOptions): Broker {
  const { config, build, logger, clock = systemClock, timeouts } = options;
  const metrics = createMetrics(build);
  const observe = observers({ metrics, logger, identity: config.identity, clock });
  const adapters = createAdapters({
    config,
    clock,
    observe,
    version: build.version,
    refusalWindowMs: options.refusalWindowMs,
  });
  registerReadings(metrics.registry, readings(adapters));
  const refusals = new RefusalLog({ logger, clock });
  const lifecycle: Lifecycle = {
    draining: false,
    handshakes: new Map(),
    adminUrl: undefined,
  };
  declareSeries(metrics, config);
  const console = configuredConsole(config, () => lifecycle.adminUrl);
  const apps = createApps({
    config,
    clock,
    refusals,
    metrics,
    adapters,
    lifecycle,
    console,
    version: build.version,
    onBreakGlass: observe.breakGlass,
  });
  const shedder = new LoadShedder({
    clock,
    maxDelayMs: config.limits.maxEventLoopDelayMs,
    delayMs: options.eventLoopDelayMs,
    observer: observe.shedding,
  });
  const guard = overloadGuard({
    shedder,
    inFlight: metrics.inFlight.api,
    maxInFlight: config.limits.maxInFlight,
    tokens: adapters.tokens,
    clientIp: clientIp(config.http.trustedProxies),
    formOf: formFinder(wireForms),
    onRefused: observe.refusedBy,
  });
  const { audit, requestAudit, keys, policy, emergency, sts, table, dynamodb } = adapters;
  const listeners: Listener[] = [];

  const ending = new AbortController();
  const listen = async (name: keyof BrokerUrls, app: Express): Promise<string> => {
    const { host, port, tls, maxConnections }: ListenerConfig = config.listeners[name];
    const onConnectionError = (code: string) =>
      metrics.connectionErrors.inc({ listener: name, code });
    const opening = startListener({
      app,
      guard: name === 'api' ? guard : undefined,
      host,
      port,
      tls,
      maxConnections,
      successIsProof: name !== 'ops',
      clock,
      signal: ending.signal,
      timeouts,
      onConnectionError,
      tlsObserver: observe.tls(name),
    });
    try {
      const listener = await orAborted(opening, ending.signal);
      listeners.push(listener);
      const { handshakes } = listener;
      if (handshakes !== undefined) lifecycle.handshakes.set(name, handshakes);
      if (name === 'admin') lifecycle.adminUrl = listener.url;
      return listener.url;
    } catch (error) {
      throw listenerFailed(name, config.listeners[name], error);
    }
  };

  /** The next step of start; what it has begun is ended by `stop()`, which does not wait for it. */
  const step = async (
    setting: string,
    work: Promise<void> = Promise.resolve(),
    file?: string,
  ): Promise<void> => {
    try {
      await orAborted(work, ending.signal);
    } catch (cause) {
      throw new StartError({ setting, file, cause });
    }
  };
  const openListeners = async (): Promise<BrokerUrls> => {
    // All of them: one that opened after another has failed would never be closed.
    const [api, ops, admin, identity] = await allOrFirstFailure([
      listen('api', apps.api),
      listen('ops', apps.ops),
      apps.admin === undefined ? undefined : listen('admin', apps.admin),
      apps.identity === undefined ? undefined : listen('identity', apps.identity),
    ]);
    return {
      api,
      ops,
      ...(admin === undefined ? {} : { admin }),
      ...(identity === undefined ? {} : { identity }),
    };
  };
  /** Keys of others that this process relies on: better no start than one that finds out later. */
  const proveKeys = async (): Promise<void> => {
    const { seal, webIdentity } = adapters;
    if (seal !== undefined) await step('policy.seal.publicKeyFiles', seal.start());
    if (webIdentity === undefined) return;
    await step('webIdentity.keys', startTokenIssuer(webIdentity, { config, clock, logger }));
  };
  const startAll = async (): Promise<BrokerUrls> => {
    const { directory } = config.audit;
    await step(
      directory === undefined ? 'audit.stdout' : 'audit.directory',
      audit.start(),
      directory,
    );
    if (emergency !== undefined) {
      await step('policy.emergencyFile', emergency.file.start(), config.policy.emergencyFile);
    }
    if (console !== undefined) {
      const { consoleDirectory = builtConsole } = options;
      await step('admin.console', console.read(consoleDirectory), consoleDirectory);
    }
    adapters.checkpointer?.start();
    await proveKeys();
    await Promise.all([
      step('audit.checkpoints.s3', adapters.checkpointCopies?.check()),
      step('keys', keys.start()),
      step('policy', policy.start()),
    ]);
    const urls = await openListeners();
    shedder.start();
    return urls;
  };

  let starting: Promise<BrokerUrls> | undefined;
  let stopping: Promise<void> | undefined;
  const stop = async ({ drain = true }: StopOptions) => {
    lifecycle.draining = true;
    ending.abort(new Error('stopped before the start was over'));
    const served = await (starting ?? Promise.reject()).then(
      () => true,
      () => false,
    );
    const graceful = served && drain;
    for (const listener of listeners) listener.drain();
    if (graceful) {
      await sleep(clock, config.http.drainSeconds * 1000);
    }
    const graceMs = graceful ? config.http.shutdownSeconds * 1000 : 0;
    await Promise.all(listeners.map((listener) => listener.close(graceMs)));
    shedder.stop();
    refusals.stop();
    emergency?.file.stop();
    emergency?.records.stop();
    await Promise.all([policy.stop(), keys.stop()]);
    sts.stop();
    table.giveUp();
    dynamodb.destroy();
    adapters.seal?.stop();
    adapters.webIdentity?.stop();
    // Last: everything before may still have something to record.
    await requestAudit.stop();
    await adapters.checkpointer?.stop();
    await audit.stop();
  };
  const stopOnce = (options: StopOptions = {}) => {
    stopping ??= stop(options);
    return stopping;
  };

  return {
    async start() {
      if (starting !== undefined || stopping !== undefined) throw new Error('a broker starts once');
      starting = startAll();
      try {
        return await starting;
      } catch (error) {
        await stopOnce();
        throw error;
      }
    },
    stop: stopOnce,
  };
}

/** What all of them resolve to, or the first failure in their order, once none is under way any more. */
async function allOrFirstFailure<Work extends readonly unknown[]>(work: readonly [...Work]) {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

interface AppsOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly refusals: RefusalLog;
  readonly metrics: Metrics;
  readonly adapters: Adapters;
  readonly lifecycle: Lifecycle;
  readonly console: ConfiguredConsole | undefined;
  readonly version: string;
  readonly onBreakGlass: Observers['breakGlass'];
}

interface Apps {
  readonly api: Express;
  readonly ops: Express;
  readonly admin: Express | undefined;
  readonly identity: Express | undefined;
}

function createApps(options: AppsOptions): Apps {
  const { config, clock, refusals, metrics, adapters, lifecycle, console } = options;
  const { validator, adminValidator, failedTokens, limit, cache, requestAudit, table, trusted } =
    adapters;
  const policy = adapters.inForce;
  const watching = { clock, metrics, refusals, clientIp: clientIp(config.http.trustedProxies) };
  const countedBy = (failed: FailedTokenLimit) => (error: BrokerError, context: RequestContext) =>
    failed.noteRefusal(error, context.sourceIp);
  const allowedHosts = new Set(config.http.allowedHosts.map((host) => host.toLowerCase()));
  const anyHost = admission({ allowedHosts: new Set(), origin: console?.origin });
  // Health checks and scrapers of older proxies speak it, and there is no secret and no body there.
  const alsoHttp10 = admission({ allowedHosts: new Set(), http10: true });
  const { admin } = config;
  return {
    api: apiApp({
      forms: wireForms,
      exchange: createExchange({
        validator,
        limit,
        policy,
        issuer: cache,
        audit: requestAudit,
        clock,
      }),
      validator,
      limit,
      audit: requestAudit,
      policy,
      sessions: cache,
      metrics,
      route: instrument({
        ...watching,
        admit: admission({ allowedHosts }),
        inFlight: metrics.inFlight.api,
        onRefused: countedBy(failedTokens.api),
      }),
      maxBodyBytes: config.http.maxBodyBytes,
      clock,
    }),
    ops: opsApp({
      registry: metrics.registry,
      readiness: () => readiness(adapters, lifecycle),
      route: instrument({ ...watching, admit: alsoHttp10 }),
    }),
    identity: documentsApp(config, adapters, instrument({ ...watching, admit: alsoHttp10 })),
    admin:
      admin &&
      adminApp({
        validator: adminValidator,
        access: adminAccess(admin),
        store: table,
        proposals: table.proposals,
        onBreakGlass: options.onBreakGlass,
        policy,
        audit: requestAudit,
        decisions: adapters.decisions,
        status: instanceStatus({
          adapters,
          metrics,
          version: options.version,
          startedAt: clock.now(),
          readiness: () => readiness(adapters, lifecycle),
          tableSilentSeconds: 5 * config.policy.pollSeconds + 5,
        }),
        rules: writingRules(config),
        issuers: issuersByPool(trusted),
        route: instrument({
          ...watching,
          admit: anyHost,
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

/**
 * What must hold to be sent requests. An STS or DynamoDB that is away does not count: what is cached can be
 * served, and taking every replica out at once would turn a small outage into a whole one.
 */
function readiness(
  { policy, keys, issuers, audit }: Adapters,
  { draining, handshakes }: Lifecycle,
): readonly HealthCheck[] {
  return [
    { name: 'policy', ok: snapshotInForce(policy) !== undefined },
    { name: 'keys', ok: [...issuers.keys()].some((issuer) => keys.ready(issuer)) },
    { name: 'audit', ok: audit.ready() },
    ...[...handshakes].map(([name, ok]) => ({ name: `tls-${name}`, ok: ok() })),
    { name: 'serving', ok: !draining },
  ];
}

function readings(adapters: Adapters): Readings {
  const { policy, emergency, cache, keys, issuers, audit, auditSequence, checkpointer } = adapters;
  return {
    policy: () => ({ revision: policy.revision, ageSeconds: policy.ageSeconds() }),
    emergency: () =>
      emergency && { denies: emergency.file.count(), ageSeconds: emergency.file.ageSeconds() },
    cache: () => ({ entries: cache.size, bytes: cache.bytes }),
    auditDisk: () => audit.room(),
    auditSequence,
    checkpointCopyLagSeconds: () => adapters.checkpointCopies?.lagSeconds(),
    checkpoint: () =>
      checkpointer && { seq: checkpointer.coveredSeq, ageSeconds: checkpointer.ageSeconds() },
    *keyAges() {
      for (const [issuer, entries] of issuers) {
        const seconds = keys.ageSeconds(issuer);
        if (seconds !== undefined) yield [labelOf(entries), seconds];
      }
    },
  };
}
