/** YAML file + environment → one frozen configuration, or every fault in it at once. */

import { type Document, LineCounter, parseDocument } from 'yaml';
import type { Fault } from '../core/errors.ts';
import { readGivenFileSync } from '../kit/files/given-file.ts';
import { FileRefusedError } from '../kit/files/regular-file.ts';
import { isJsonObject } from '../kit/json/json-object.ts';
import { isCallerVariable } from './caller-variables.ts';
import { checkProfile, type RuntimeFacts } from './profile.ts';
import { type Config, configSchema } from './schema.ts';
import { envPrefix, listSettings } from './settings.ts';

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
  return parseConfig({ file, text }, env, runtime);
}

export function parseConfig(
  { file, text }: { readonly file: string; readonly text: string },
  env: Readonly<Record<string, string | undefined>>,
  runtime: RuntimeFacts,
): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    version: '1.2',
    prettyErrors: false,
  });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        return `${file}:${line}:${col}: ${error.message}`;
      }),
    );
  }
  const raw = toPlainValue(document, file);
  const faults: Fault[] = [];
  const result = configSchema.safeParse(withEnvironment(raw, env, faults));
  if (!result.success) {
    faults.push(
      ...result.error.issues.map((issue) => ({
        pointer: issue.path.map(String).join('.'),
        detail: issue.message,
      })),
    );
  } else if (faults.length === 0) {
    faults.push(...checkProfile(result.data, runtime));
    if (faults.length === 0) return deepFreeze(result.data);
  }
  throw new ConfigError(
    faults.map(({ pointer, detail }) =>
      pointer === '' ? `${file}: ${detail}` : `${file}: ${pointer}: ${detail}`,
    ),
  );
}

function toPlainValue(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch {
    throw new ConfigError([`${file}: has an alias without an anchor, or too many aliases`]);
  }
}

function withEnvironment(
  raw: unknown,
  env: Readonly<Record<string, string | undefined>>,
  faults: Fault[],
): unknown {
  const byEnv = new Map(listSettings().map((setting) => [setting.env, setting]));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(envPrefix) || isCallerVariable(name) || value === undefined) continue;
    const setting = byEnv.get(name);
    if (setting === undefined) {
      faults.push({ pointer: name, detail: 'is an environment variable for no setting' });
    } else if (isJsonObject(raw)) {
      assign(raw, setting.path.split('.'), convert(value, setting.type));
    }
  }
  return raw;
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
