/** `config check`: says everything that is wrong with a configuration, or nothing. */

import { ConfigError, loadConfig } from '../config/load.ts';
import type { RuntimeFacts } from '../config/profile.ts';
import type { Config } from '../config/schema.ts';
import { exitCodes, type Output } from './output.ts';

export interface ConfigSource {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly runtime: RuntimeFacts;
}

export function configCheck(source: ConfigSource, output: Output): number {
  const config = readConfig(source, output);
  if (config === undefined) return exitCodes.config;
  output.out(`${source.file}: valid (${config.profile} profile)\n`);
  return exitCodes.ok;
}

/** The configuration; undefined after its faults were printed, one line each. */
export function readConfig(
  { file, env, runtime }: ConfigSource,
  output: Output,
): Config | undefined {
  try {
    return loadConfig(file, env, runtime);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) output.err(`${fault}\n`);
    output.err(`${error.message}; docs/configuration.md explains every setting\n`);
    return undefined;
  }
}
