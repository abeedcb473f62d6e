/** The composition root: puts the parts together, starts them in order and ends them in order. */

import { isDeepStrictEqual } from 'node:util';
import type { RereadConfigFile } from '../config/reread.ts';
import type { Config } from '../config/schema.ts';
import type { ConfigReloadRecord } from '../core/records/change-records.ts';
import { overloadGuard } from '../http/api/overload-guard.ts';
import { formFinder } from '../http/forms/form-finder.ts';
import { wireForms } from '../http/forms/wire-forms.ts';
import { RefusalLog } from '../http/refusal-log.ts';
import type { ListenerTimeouts } from '../http/server.ts';
import { LoadShedder } from '../kit/calls/load-shedder.ts';
import { type Clock, systemClock } from '../kit/timing/clock.ts';
import { orAborted } from '../kit/timing/or-aborted.ts';
import { sleep } from '../kit/timing/sleep.ts';
import type { Logger } from '../telemetry/logger.ts';
import { type BuildInfo, createMetrics, registerReadings } from '../telemetry/metrics.ts';
import { createAdapters } from './adapters.ts';
import { builtConsole, configuredConsole } from './configured/console.ts';
import type { TableTimeouts } from './configured/policy.ts';
import { configuredTraces } from './configured/traces.ts';
import { declareSeries } from './declare-series.ts';
import { listenerApps } from './listener-apps.ts';
import { type BrokerUrls, Listeners } from './listeners.ts';
import { observers } from './observers.ts';
import { readiness } from './readiness.ts';
import { readings } from './readings.ts';
import { Reloader } from './reloader.ts';
import { liveClientIp, type RunningSettings, settingsOf } from './running-settings.ts';
import { StartError } from './start-error.ts';
import { startTokenIssuer } from './start-token-issuer.ts';
import { tracedCalls } from './traced-calls.ts';

export interface BrokerOptions {
  readonly config: Config;
  readonly build: BuildInfo;
  readonly logger: Logger;
  /** The configuration as it is when it is asked for. Default: it never changes. */
  readonly reread?: RereadConfigFile;
  readonly clock?: Clock;
  /** Default: those of production. */
  readonly timeouts?: ListenerTimeouts;
  /** Default: those of production. */
  readonly tableTimeouts?: TableTimeouts | undefined;
  /** How late the event loop is; default: measured. */
  readonly eventLoopDelayMs?: () => number;
  /** How long refusals that are alike are counted before they are recorded. Default: ten seconds. */
  readonly refusalWindowMs?: number;
  /** Where the build has put the console; default: beside this program. */
  readonly consoleDirectory?: string;
}

export interface Broker {
  /**
   * Resolves when all listeners answer. Once.
   *
   * @throws StartError when a port, a certificate or the audit log cannot be had, or `stop()` was called meanwhile;
   * by then everything that had been started is ended.
   */
  start(): Promise<BrokerUrls>;
  /**
   * Takes over what the configuration file says by now, as a whole or not at all; what became of it is logged, counted and on
   * record. For a broker that was started; a start under way is waited for, and after `stop()` nothing is taken over.
   */
  reload(by: ConfigReloadRecord['by']): Promise<void>;
  /** Drains, closes and flushes; a start under way is given up. May be called at any time, and again. */
  stop(options?: StopOptions): Promise<void>;
}

export interface StopOptions {
  /** `false` where nobody was told that there is anything to be served: connections are cut. Default: true. */
  readonly drain?: boolean;
}

export function createBroker(options: BrokerOptions): Broker {
  const { config, build, logger, clock = systemClock } = options;
  const running: RunningSettings = { now: settingsOf(config) };
  const metrics = createMetrics(build);
  const { version } = build;
  const traces = configuredTraces(config, { clock, metrics, logger, version });
  const observe = observers({
    metrics,
    logger,
    identity: config.identity,
    clock,
    traced: traces && tracedCalls(traces.requests, config.policy.region),
  });
  const adapters = createAdapters({
    config,
    running,
    clock,
    observe,
    traces: traces?.requests,
    version: build.version,
    refusalWindowMs: options.refusalWindowMs,
    tableTimeouts: options.tableTimeouts,
  });
  registerReadings(metrics.registry, readings(adapters));
  const refusals = new RefusalLog({ logger, clock });
  declareSeries(metrics, config, clock.now());
  const shedder = new LoadShedder({
    clock,
    maxDelayMs: () => running.now.config.limits.maxEventLoopDelayMs,
    delayMs: options.eventLoopDelayMs,
    observer: observe.shedding,
  });
  const guard = overloadGuard({
    shedder,
    inFlight: metrics.inFlight.api,
    maxInFlight: () => running.now.config.limits.maxInFlight,
    tokens: adapters.tokens,
    clientIp: liveClientIp(running),
    formOf: formFinder(wireForms),
    onRefused: observe.refusedBy,
  });
  const ending = new AbortController();
  const listeners = new Listeners({
    settings: config.listeners,
    guard,
    clock,
    signal: ending.signal,
    timeouts: options.timeouts,
    onConnectionError: (listener, code) => metrics.connectionErrors.inc({ listener, code }),
    tlsObserver: observe.tls,
  });
  const console = configuredConsole(config, () => listeners.url('admin'));
  const apps = listenerApps({
    config,
    running,
    clock,
    refusals,
    metrics,
    adapters,
    readiness: () => readiness({ adapters, listeners, ending: ending.signal }),
    console,
    traces: traces?.requests,
    version: build.version,
    onBreakGlass: observe.breakGlass,
    onProposal: observe.proposal,
  });
  const { audit, requestAudit, keys, policy, emergency, sts, table, dynamodb } = adapters;
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
    if (traces !== undefined) await step('traces', traces.exporter.start());
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
    const urls = await listeners.open(apps);
    shedder.start();
    return urls;
  };

  const { reread = () => Promise.reject(new Error('there is no configuration file')) } = options;
  const reloader = new Reloader({
    read: reread,
    running,
    certificates: listeners.certificates,
    audit,
    clock,
    onReplaced(before, now) {
      logger.level = now.config.log.level;
      if (!isDeepStrictEqual(before.config.identity, now.config.identity)) {
        adapters.trust(now.issuers);
      }
    },
    observer: observe.reload,
  });

  let starting: Promise<BrokerUrls> | undefined;
  let stopping: Promise<void> | undefined;
  const stop = async ({ drain = true }: StopOptions) => {
    reloader.stop();
    ending.abort(new Error('stopped before the start was over'));
    const served = await (starting ?? Promise.reject()).then(
      () => true,
      () => false,
    );
    const graceful = served && drain;
    listeners.drain();
    if (graceful) {
      await sleep(clock, config.http.drainSeconds * 1000);
    }
    const graceMs = graceful ? config.http.shutdownSeconds * 1000 : 0;
    await listeners.close(graceMs);
    // From here on no request ends: what is left is sent while the rest is closed.
    const sent = traces?.exporter.stop();
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
    await sent;
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
    async reload(by) {
      if (starting === undefined) throw new Error('a broker is started before it is reloaded');
      await starting.catch(() => undefined);
      if (stopping === undefined) await reloader.reload(by);
      else logger.warn({ by }, 'the configuration is not read again: this process is ending');
    },
    stop: stopOnce,
  };
}
