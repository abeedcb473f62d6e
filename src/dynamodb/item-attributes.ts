/** Single attributes of an item, as they should be or not at all. */

import type { Item } from './table-calls.ts';

export function readText(item: Item | undefined, name: string): string | undefined {
  return item?.[name]?.S;
}

/** A whole number from 0, or nothing. */
export function readInteger(item: Item | undefined, name: string): number | undefined {
  const digits = item?.[name]?.N;
  if (digits === undefined || !/^\d{1,15}$/.test(digits)) return undefined;
  return Number(digits);
}

/** The document in an attribute; undefined too for what is no JSON. */
export function readJson(item: Item | undefined, name: string): unknown {
  const text = readText(item, name);
  return text === undefined ? undefined : parseJson(text);
}

/** Undefined for what is no JSON: a row that cannot be read is told of, and never in force. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
