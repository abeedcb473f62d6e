/** `config check`: says everything that is wrong with a configuration, or nothing. */

import { ConfigError, loadConfig } from '../config/load.ts';
import type { RuntimeFacts } from '../config/profile.ts';
import type { Config } from '../config/schema.ts';
import { readTlsFiles, TlsFilesError } from '../http/tls-files.ts';
import { readGivenFileSync } from '../kit/files/given-file.ts';
import { systemClock } from '../kit/timing/clock.ts';
import { maxKeyBytes, parsePublicKey } from '../signing/signing-key.ts';
import { exitCodes, type Output } from './output.ts';

export interface ConfigSource {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly runtime: RuntimeFacts;
}

export function configCheck(source: ConfigSource, output: Output): number {
  const config = readServableConfig(source, output);
  if (config === undefined) return exitCodes.config;
  output.out(`${source.file}: valid (${config.profile} profile)\n`);
  return exitCodes.ok;
}

/** The configuration of a process that serves with it, whose files for TLS and seals are looked at as well. */
export function readServableConfig(source: ConfigSource, output: Output): Config | undefined {
  return printingFaults(output, () => {
    const config = loadConfig(source.file, source.env, source.runtime);
    const faults = [...tlsFaultsOf(config, systemClock.now()), ...sealFaultsOf(config)];
    if (faults.length > 0) throw new ConfigError(faults.map((fault) => `${source.file}: ${fault}`));
    return config;
  });
}

/** The configuration; undefined after its faults were printed, one line each. */
export function readConfig(
  { file, env, runtime }: ConfigSource,
  output: Output,
): Config | undefined {
  return printingFaults(output, () => loadConfig(file, env, runtime));
}

function printingFaults(output: Output, load: () => Config): Config | undefined {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const fault of error.faults) output.err(`${fault}\n`);
    output.err(`${error.message}; docs/configuration.md explains every setting\n`);
    return undefined;
  }
}

/** One for each listener that could not serve with its certificate. */
function tlsFaultsOf({ listeners }: Config, now: number): readonly string[] {
  return Object.entries(listeners).flatMap(([name, { tls }]) => {
    if (tls === undefined) return [];
    try {
      readTlsFiles(tls, now);
      return [];
    } catch (error) {
      if (!(error instanceof TlsFilesError)) throw error;
      return [`listeners.${name}.tls.${error.setting}: ${error.message}`];
    }
  });
}

/** One for each public key that could not verify a seal. */
function sealFaultsOf({ policy }: Config): readonly string[] {
  return (policy.seal?.publicKeyFiles ?? []).flatMap((file) => {
    try {
      parsePublicKey(readGivenFileSync(file, maxKeyBytes));
      return [];
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'cannot be read';
      return [`policy.seal.publicKeyFiles: ${file}: ${reason}`];
    }
  });
}
