/** Configuration for commands: read whole, or refused with every fault. */

import { type ConfigFault, configFaultLine, type SettingFault } from '../config/fault.ts';
import { ConfigError, loadConfig, type Surroundings } from '../config/load.ts';
import { processRule } from '../config/process.ts';
import { configRereader, type RereadConfigFile } from '../config/reread.ts';
import type { Config } from '../config/schema.ts';
import { listenerNames } from '../config/sections/listeners.ts';
import { whereSettled } from '../config/settled.ts';
import { readTlsFiles, TlsFilesError } from '../http/tls-files.ts';
import { readGivenFileSync } from '../kit/files/given-file.ts';
import { type Clock, systemClock } from '../kit/timing/clock.ts';
import { maxKeyBytes, parsePublicKey } from '../signing/signing-key.ts';
import type { ConfigSource, Edge } from './edge.ts';
import { exitCodes, type Output } from './output.ts';
import { printable } from './printable.ts';

/** As for a process that serves, or the file by itself: not this process, its environment, and the files that it names. */
export function checkConfig(source: ConfigSource, fileOnly: boolean): CheckedConfig {
  return attempt(source.file, fileOnly ? { env: {}, rules: [] } : servingFrom(source));
}

/** The configuration of a process that serves with it, whose files for TLS and seals are looked at as well. */
export function readServableConfig(source: ConfigSource, output: Output): Config | undefined {
  return readIn(source.file, servingFrom(source), output);
}

/** The same again and again, while the process serves. */
export function servableConfigRereader(source: ConfigSource, clock: Clock): RereadConfigFile {
  return configRereader(source.file, servingFrom(source), clock);
}

/** The configuration; undefined after its faults were printed, one line each. */
export function readConfig(
  { file, env, runtime }: ConfigSource,
  output: Output,
): Config | undefined {
  return readIn(file, { env, rules: [processRule(runtime)] }, output);
}

/** Runs a command with its configuration and leaves the exit code; with faults, which are printed, it does not run. */
export async function withConfig(
  file: string,
  { configSource, output, finish }: Edge,
  run: (config: Config) => number | Promise<number>,
): Promise<void> {
  const config = readConfig(configSource(file), output);
  finish(config === undefined ? exitCodes.config : await run(config));
}

function servingFrom({ env, runtime }: ConfigSource): Surroundings {
  return { env, rules: [processRule(runtime), tlsFilesServe, sealKeysVerify] };
}

function readIn(file: string, surroundings: Surroundings, output: Output): Config | undefined {
  const checked = attempt(file, surroundings);
  if (checked.config === undefined) printFaults(checked, output);
  return checked.config;
}

export type CheckedConfig =
  | { readonly config: Config; readonly faults: readonly [] }
  | {
      readonly config: undefined;
      readonly faults: readonly ConfigFault[];
      readonly summary: string;
    };

function attempt(file: string, surroundings: Surroundings): CheckedConfig {
  try {
    return { config: loadConfig(file, surroundings), faults: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: undefined, faults: error.faults, summary: error.message };
  }
}

/** One line each; nothing of what is valid. */
export function printFaults(checked: CheckedConfig, output: Output): void {
  if (checked.config !== undefined) return;
  for (const fault of checked.faults) output.err(`${printable(configFaultLine(fault))}\n`);
  output.err(`${checked.summary}; docs/configuration.md explains every setting\n`);
}

/** A listener must be able to serve with its certificate now. */
function tlsFilesServe({ listeners }: Config): SettingFault[] {
  return whereSettled(listenerNames, (name) => {
    const { tls } = listeners[name];
    if (tls === undefined) return [];
    try {
      readTlsFiles(tls, systemClock.now());
      return [];
    } catch (error) {
      if (!(error instanceof TlsFilesError)) throw error;
      const path = `listeners.${name}.tls.${error.setting}`;
      return [{ path, detail: error.message, source: 'host' }];
    }
  });
}

/** Each public key must be one that could verify a seal. */
function sealKeysVerify({ policy }: Config): SettingFault[] {
  const files = policy.seal?.publicKeyFiles ?? [];
  return whereSettled(files.keys(), (index) => {
    const file = files[index] ?? '';
    try {
      parsePublicKey(readGivenFileSync(file, maxKeyBytes));
      return [];
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'cannot be read';
      const path = `policy.seal.publicKeyFiles.${index}`;
      return [{ path, detail: `${file}: ${reason}`, source: 'host' }];
    }
  });
}
