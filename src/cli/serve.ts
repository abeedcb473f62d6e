/** `serve`: runs the broker until it is told to stop. */

import { resolve } from 'node:path';
import { createBroker } from '../broker/broker.ts';
import { StartError } from '../broker/start-error.ts';
import type { Config } from '../config/schema.ts';
import { replaceFile } from '../kit/files/replace-file.ts';
import { createLogger } from '../telemetry/logger.ts';
import type { BuildInfo } from '../telemetry/metrics.ts';
import { exitCodes } from './output.ts';

export interface ServeOptions {
  readonly config: Config;
  readonly build: BuildInfo;
  /** Variables that name proxies, of which nothing makes use. Their values may hold a password. */
  readonly ignoredProxies: readonly string[];
  /** Gets one JSON object with the URLs of the listeners once they answer. */
  readonly readyFile: string | undefined;
  /** Resolves when the process is asked to end. */
  readonly stopRequested: Promise<string>;
  /** Calls back whenever somebody asks this process to open an inspector, which it does not do. */
  onInspectorSignal(listener: () => void): void;
}

/** Returns the exit code. */
export async function serve(options: ServeOptions): Promise<number> {
  const { config, build, ignoredProxies, readyFile, stopRequested } = options;
  const logger = createLogger({ level: config.log.level });
  options.onInspectorSignal(() => logger.warn('SIGUSR1 ignored: this process opens no inspector'));
  if (ignoredProxies.length > 0) {
    logger.warn(
      { variables: ignoredProxies },
      'proxies of the environment are not used: this process goes directly to everything',
    );
  }
  const broker = createBroker({ config, build, logger });
  let stopSignal: string | undefined;
  const stopped = stopRequested.then(async (signal) => {
    stopSignal = signal;
    logger.info({ signal }, 'stopping');
    await broker.stop();
  });
  try {
    const urls = await broker.start();
    if (readyFile !== undefined) await writeReadyFile(readyFile, urls);
    logger.info({ ...urls, version: build.version, profile: config.profile }, 'serving');
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
