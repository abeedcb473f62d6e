/** `token-broker serve`: runs the broker until it is told to stop. */

import { resolve } from 'node:path';
import { createBroker } from '../../broker/broker.ts';
import { StartError } from '../../broker/start-error.ts';
import type { RereadConfigFile } from '../../config/reread.ts';
import type { Config } from '../../config/schema.ts';
import { replaceFile } from '../../kit/files/replace-file.ts';
import { systemClock } from '../../kit/timing/clock.ts';
import { createLogger } from '../../telemetry/logger.ts';
import type { BuildInfo } from '../../telemetry/metrics.ts';
import { type AddCommand, helpText } from '../edge.ts';
import { exitCodes } from '../output.ts';
import { readServableConfig, servableConfigRereader } from '../read-config.ts';

export const addServeCommand: AddCommand = (program, edge) => {
  program
    .command('serve')
    .description('run the broker until SIGTERM or SIGINT; SIGHUP reads the configuration again')
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .option('--ready-file <file>', 'write the listeners’ URLs here, as JSON, once they answer')
    .addHelpText(
      'after',
      helpText(
        ['token-broker serve --config /etc/token-broker/config.yaml'],
        '0 it was told to stop, 1 it could not start or go on, 2 wrong usage, 78 invalid configuration',
      ),
    )
    .action(async (options: { config: string; readyFile?: string }) => {
      const config = readServableConfig(edge.configSource(options.config), edge.output);
      if (config === undefined) return edge.finish(exitCodes.config);
      const code = await serve({
        config,
        build: { version: edge.version, revision: edge.revision, node: process.version },
        ignoredProxies: Object.keys(edge.env).filter((name) =>
          /^(?:https?|all)_proxy$/i.test(name),
        ),
        readyFile: options.readyFile,
        stopRequested: edge.stopRequested(),
        reread: servableConfigRereader(edge.configSource(options.config), systemClock),
        onReloadSignal: edge.onReloadSignal,
        onInspectorSignal: edge.onInspectorSignal,
      });
      edge.finish(code);
      // Whoever asked for the end waits for its exit code; a start that failed has nothing left to say.
      edge.endWithin(code === exitCodes.ok ? 5_000 : 750);
    });
};

interface ServeOptions {
  readonly config: Config;
  readonly build: BuildInfo;
  /** Variables that name proxies, of which nothing makes use. Their values may hold a password. */
  readonly ignoredProxies: readonly string[];
  /** Gets one JSON object with the URLs of the listeners once they answer. */
  readonly readyFile: string | undefined;
  /** Resolves when the process is asked to end. */
  readonly stopRequested: Promise<string>;
  /** The configuration as it is when it is asked for. */
  readonly reread: RereadConfigFile;
  /** Calls back whenever somebody asks for that, also if it was before this was called. */
  onReloadSignal(listener: () => void): void;
  /** Calls back whenever somebody asks this process to open an inspector, which it does not do. */
  onInspectorSignal(listener: () => void): void;
}

/** Returns the exit code. */
async function serve(options: ServeOptions): Promise<number> {
  const { config, build, ignoredProxies, readyFile, stopRequested } = options;
  const logger = createLogger({ level: config.log.level });
  options.onInspectorSignal(() => logger.warn('SIGUSR1 ignored: this process opens no inspector'));
  if (ignoredProxies.length > 0) {
    logger.warn(
      { variables: ignoredProxies },
      'proxies of the environment are not used: this process goes directly to everything',
    );
  }
  const broker = createBroker({ config, build, logger, reread: options.reread });
  let stopSignal: string | undefined;
  const stopped = stopRequested.then(async (signal) => {
    stopSignal = signal;
    logger.info({ signal }, 'stopping');
    await broker.stop();
  });
  try {
    const started = broker.start();
    options.onReloadSignal(() => void broker.reload('SIGHUP'));
    const urls = await started;
    if (readyFile !== undefined) await writeReadyFile(readyFile, urls);
    const { version, revision } = build;
    logger.info({ ...urls, version, revision, profile: config.profile }, 'serving');
  } catch (error) {
    const { setting, file } = error instanceof StartError ? error : {};
    const asked = stopSignal !== undefined;
    if (asked) logger.warn({ setting, file }, 'stopped before it served');
    else logger.fatal({ setting, file, err: error }, 'cannot start');
    await broker.stop({ drain: false });
    return asked ? exitCodes.ok : exitCodes.failed;
  }
  await stopped;
  logger.info('stopped');
  return exitCodes.ok;
}

/** Whole or not there: whoever waits for the file must never read half of it. */
function writeReadyFile(path: string, document: unknown): Promise<void> {
  return replaceFile(resolve(path), `${JSON.stringify(document)}\n`);
}
