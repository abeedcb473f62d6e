/** YAML file + environment → one frozen configuration, or every fault in it at once. */

import { errorCodeOf } from '../kit/files/error-code.ts';
import { readGivenFileSync } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { dotted } from '../kit/json/json-pointer.ts';
import type { SourceFault } from '../kit/yaml/source-fault.ts';
import { parseYaml, type SourceDocument, type SourceFile } from '../kit/yaml/yaml-documents.ts';
import { isCallerVariable } from './caller-variables.ts';
import {
  type ConfigFault,
  type ConfigRule,
  type FaultSource,
  faultSources,
  inOrder,
  type SettingFault,
} from './fault.ts';
import { settingFaults, wordsFor } from './fault-words.ts';
import { configRules } from './rules.ts';
import { type Config, configSchema } from './schema.ts';
import { envPrefix, listSettings } from './settings.ts';
import { settledParts, whereSettled } from './settled.ts';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** Those of the file in its order, then the others. */
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(
      `the configuration has ${faults.length} fault${faults.length === 1 ? '' : 's'}: ${countsOf(faults)}`,
    );
    this.faults = faults;
  }
}

const places: Readonly<Record<FaultSource, string>> = {
  file: 'in the file',
  environment: 'in the environment',
  process: 'of this process',
  host: 'on this host',
};

function countsOf(faults: readonly ConfigFault[]): string {
  return faultSources
    .map((source) => [faults.filter((fault) => fault.source === source).length, places[source]])
    .flatMap(([count, place]) => (count === 0 ? [] : [`${count} ${place}`]))
    .join(', ');
}

/** What is true where the configuration is used, and not in the file itself. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Rules about this process, and the files that the configuration names. */
  readonly rules: readonly ConfigRule[];
}

/** Far more than any configuration has. */
export const maxConfigBytes = 4 * 1024 * 1024;

/** @throws ConfigError that lists every fault found. */
export function loadConfig(file: string, surroundings: Surroundings): Config {
  let text: string;
  try {
    text = readGivenFileSync(file, maxConfigBytes).toString();
  } catch (error) {
    throw unreadable(file, error);
  }
  return parseConfig({ path: file, text }, surroundings);
}

export function unreadable(file: string, error: unknown): ConfigError {
  const detail =
    error instanceof FileRefusedError ? error.detail : `cannot be read (${errorCodeOf(error)})`;
  return new ConfigError([{ source: 'file', file, setting: '', detail }]);
}

export function parseConfig(source: SourceFile, { env, rules }: Surroundings): Config {
  const document = onlyDocument(source);
  const written = new Set(isJsonObject(document.value) ? Object.keys(document.value) : []);
  const { raw, variables, faults: ofEnvironment } = withEnvironment(document.value, env);
  const result = configSchema.safeParse(raw, { error: wordsFor });
  const settled = result.success ? () => result.data : settledParts(configSchema, raw);
  const faults = firstOf([
    ...ofEnvironment,
    ...(result.error?.issues ?? []).flatMap(settingFaults),
    ...whereSettled([...configRules, ...rules], (rule) => rule(settled())),
  ]);
  if (result.success && faults.length === 0) return deepFreeze(result.data);
  // What the file does not speak of has no place in it.
  const positionOf = (path: string) =>
    written.has(path.split('.')[0] ?? '')
      ? { position: document.positionOf(`/${path.replaceAll('.', '/')}`) }
      : {};
  const located = ({ source: where, path, detail }: SettingFault): ConfigFault => {
    const about = { file: source.path, detail };
    if (where === 'environment') return { ...about, source: where, setting: '', variable: path };
    const variable = where === undefined ? variables.get(path) : undefined;
    return variable === undefined
      ? { ...about, source: where ?? 'file', setting: path, ...positionOf(path) }
      : { ...about, source: 'environment', setting: path, variable };
  };
  throw new ConfigError(inOrder(faults.map(located)));
}

/** More than anybody puts right in one go. A file that is something else has one for each of its lines, and each costs time. */
const maxFaults = 1_000;

function firstOf(faults: readonly SettingFault[]): readonly SettingFault[] {
  const more = faults.length - maxFaults;
  if (more <= 0) return faults;
  return [...faults.slice(0, maxFaults), { path: '', detail: `has ${more} more faults` }];
}

function onlyDocument(source: SourceFile): SourceDocument {
  const { documents, faults } = parseYaml(source);
  if (faults.length > 0) throw new ConfigError(faults.map(syntaxFault));
  const [only, another] = documents;
  if (only !== undefined && another === undefined) return only;
  const { line, col } = another?.positionOf('') ?? { line: 1, col: 1 };
  const detail = 'must be one document';
  throw new ConfigError([syntaxFault({ file: source.path, line, col, pointer: '', detail })]);
}

function syntaxFault({ file, line, col, pointer, detail }: SourceFault): ConfigFault {
  return { source: 'file', file, position: { line, col }, setting: dotted(pointer), detail };
}

interface Overridden {
  readonly raw: unknown;
  /** By the path of the setting that each sets. */
  readonly variables: ReadonlyMap<string, string>;
  readonly faults: SettingFault[];
}

function withEnvironment(
  raw: unknown,
  env: Readonly<Record<string, string | undefined>>,
): Overridden {
  const byEnv = new Map(listSettings().map((setting) => [setting.env, setting]));
  const variables = new Map<string, string>();
  const faults: SettingFault[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(envPrefix) || isCallerVariable(name) || value === undefined) continue;
    const setting = byEnv.get(name);
    if (setting === undefined) {
      faults.push({ path: name, detail: 'is a variable for no setting', source: 'environment' });
    } else if (isJsonObject(raw)) {
      variables.set(setting.path, name);
      assign(raw, setting.path.split('.'), convert(value, setting.type));
    }
  }
  return { raw, variables, faults };
}

/** The text as the setting's type would write it in YAML; what does not convert is left for the schema to refuse. */
function convert(value: string, type: string): unknown {
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  if ((type === 'integer' || type === 'number') && /^\d+(?:\.\d+)?$/.test(value))
    return Number(value);
  return value;
}

function assign(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    target[name] = value;
    return;
  }
  const next = target[name] ?? {};
  if (!isJsonObject(next)) return;
  target[name] = next;
  assign(next, rest, value);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}
