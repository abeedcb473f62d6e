/** The list of all settings, read off the schema: for environment overrides and for the documentation. */

import { z } from 'zod';
import { configSchema } from './schema.ts';

export const envPrefix = 'TOKEN_BROKER_';

export interface Setting {
  /** Dotted path in the file; `[]` stands for the items of a list. */
  readonly path: string;
  /** Environment variable that overrides it; absent for settings inside lists and for lists. */
  readonly env: string | undefined;
  readonly type: string;
  /** As JSON; undefined when there is none. */
  readonly defaultValue: string | undefined;
  readonly required: boolean;
  readonly description: string;
}

let settings: readonly Setting[] | undefined;

/** Every setting there is, in the order of the schema. */
export function listSettings(): readonly Setting[] {
  settings ??= [...walk(configSchema, '', true)];
  return settings;
}

function* walk(schema: z.core.$ZodType, path: string, overridable: boolean): Generator<Setting> {
  const { inner, defaultValue, required } = unwrapped(schema);
  if (inner instanceof z.ZodObject) {
    for (const [name, member] of Object.entries(inner.shape)) {
      yield* walk(member, path === '' ? name : `${path}.${name}`, overridable);
    }
    return;
  }
  const isList = inner instanceof z.ZodArray;
  const element = isList ? unwrapped(inner.element).inner : undefined;
  yield {
    path,
    env: overridable && !isList ? envName(path) : undefined,
    type: typeName(inner),
    defaultValue: defaultValue === undefined ? undefined : JSON.stringify(defaultValue),
    required,
    description: descriptionOf(schema),
  };
  if (element instanceof z.ZodObject) yield* walk(element, `${path}[]`, false);
}

/** The schema below what makes a setting optional. */
export function unwrapped(schema: z.core.$ZodType) {
  let inner: z.core.$ZodType = schema;
  let defaultValue: unknown;
  let required = true;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional
  ) {
    required = false;
    if (inner instanceof z.ZodDefault) defaultValue = inner.def.defaultValue;
    inner = inner.def.innerType;
  }
  return { inner, defaultValue, required };
}

function typeName(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodEnum) return schema.options.map(String).join(' \\| ');
  if (schema instanceof z.ZodArray) return 'list';
  if (schema instanceof z.ZodBoolean) return 'boolean';
  if (schema instanceof z.ZodNumber) return schema.format === 'safeint' ? 'integer' : 'number';
  return 'string';
}

function descriptionOf(schema: z.core.$ZodType): string {
  for (let at: z.core.$ZodType | undefined = schema; at !== undefined; ) {
    const description = z.globalRegistry.get(at)?.description;
    if (description !== undefined) return description;
    at = 'innerType' in at._zod.def ? (at._zod.def.innerType as z.core.$ZodType) : undefined;
  }
  return '';
}

/** `listeners.api.maxConnections` → `TOKEN_BROKER_LISTENERS_API_MAX_CONNECTIONS` */
function envName(path: string): string {
  return (
    envPrefix +
    path
      .replace(/([a-z])([A-Z])/g, '$1_$2')
      .replaceAll('.', '_')
      .toUpperCase()
  );
}
