/** YAML file + environment → one frozen configuration, or every fault in it at once. */

import { readGivenFileSync } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { faultLine } from '../kit/yaml/source-fault.ts';
import { parseYaml, type SourceDocument, type SourceFile } from '../kit/yaml/yaml-documents.ts';
import { isCallerVariable } from './caller-variables.ts';
import { checkProfile, type RuntimeFacts } from './profile.ts';
import { type Config, configSchema } from './schema.ts';
import { envPrefix, listSettings, type SettingFault } from './settings.ts';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** One line per fault: where, and what to do. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(`the configuration has ${faults.length} fault${faults.length === 1 ? '' : 's'}`);
    this.faults = faults;
  }
}

/** Far more than any configuration has. */
const maxFileBytes = 4 * 1024 * 1024;

/** @throws ConfigError that lists every fault found. */
export function loadConfig(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  runtime: RuntimeFacts,
): Config {
  let text: string;
  try {
    text = readGivenFileSync(file, maxFileBytes).toString();
  } catch (error) {
    if (error instanceof FileRefusedError) {
      throw new ConfigError([`${file}: ${error.detail}`]);
    }
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new ConfigError([`${file}: cannot be read (${code})`]);
  }
  return parseConfig({ path: file, text }, env, runtime);
}

export function parseConfig(
  source: SourceFile,
  env: Readonly<Record<string, string | undefined>>,
  runtime: RuntimeFacts,
): Config {
  const document = onlyDocument(source);
  const written = new Set(isJsonObject(document.value) ? Object.keys(document.value) : []);
  const { raw, overridden, faults } = withEnvironment(document.value, env);
  const result = configSchema.safeParse(raw);
  if (!result.success) {
    faults.push(
      ...result.error.issues.map(({ path, message }) => ({
        path: path.map(String).join('.'),
        detail: message,
      })),
    );
  } else if (faults.length === 0) {
    faults.push(...checkProfile(result.data, runtime));
    if (faults.length === 0) return deepFreeze(result.data);
  }
  const placeOf = (path: string) => {
    // Neither what the file does not speak of nor what the environment says instead has a place in it.
    if (!written.has(path.split('.')[0] ?? '') || overridden.has(path)) return '';
    const { line, col } = document.positionOf(`/${path.replaceAll('.', '/')}`);
    return `:${line}:${col}`;
  };
  throw new ConfigError(
    faults.map(({ path, detail }) =>
      path === ''
        ? `${source.path}: ${detail}`
        : `${source.path}${placeOf(path)}: ${path}: ${detail}`,
    ),
  );
}

function onlyDocument(source: SourceFile): SourceDocument {
  const { documents, faults } = parseYaml(source);
  if (faults.length > 0) throw new ConfigError(faults.map(faultLine));
  const [only, another] = documents;
  if (only !== undefined && another === undefined) return only;
  const { line, col } = another?.positionOf('') ?? { line: 1, col: 1 };
  throw new ConfigError([`${source.path}:${line}:${col}: must be one document`]);
}

interface Overridden {
  readonly raw: unknown;
  /** Paths of the settings that the environment has set. */
  readonly overridden: ReadonlySet<string>;
  readonly faults: SettingFault[];
}

function withEnvironment(
  raw: unknown,
  env: Readonly<Record<string, string | undefined>>,
): Overridden {
  const byEnv = new Map(listSettings().map((setting) => [setting.env, setting]));
  const overridden = new Set<string>();
  const faults: SettingFault[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(envPrefix) || isCallerVariable(name) || value === undefined) continue;
    const setting = byEnv.get(name);
    if (setting === undefined) {
      faults.push({ path: name, detail: 'is an environment variable for no setting' });
    } else if (isJsonObject(raw)) {
      overridden.add(setting.path);
      assign(raw, setting.path.split('.'), convert(value, setting.type));
    }
  }
  return { raw, overridden, faults };
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
