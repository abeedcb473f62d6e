/**
 * What is certain of a configuration of which the schema has refused a part. Rules between settings run on the rest,
 * so that a slip in one setting hides no fault of others; a rule that needs what was refused has no answer.
 */

import { z } from 'zod';
import { isJsonObject } from '../kit/json/json-object.ts';
import { unwrapped } from './settings.ts';

class UnsettledError extends Error {
  override readonly name = 'UnsettledError';
}

/** The value as the schema gives it, with its defaults; reading what was refused of it throws. */
export function settledParts<T>(schema: z.core.$ZodType<T>, raw: unknown): () => T {
  const read = z.core.safeParse(schema, raw);
  if (read.success) return () => read.data;
  const { inner } = unwrapped(schema);
  // A list that is refused as a whole may be empty, or too long; a section has at most names that are no settings.
  const whole =
    inner instanceof z.ZodArray && read.error.issues.some(({ path }) => path.length === 0);
  const parts = whole ? undefined : partsOf(inner, raw);
  return () => {
    if (parts === undefined) throw new UnsettledError();
    return parts as T;
  };
}

function partsOf(schema: z.core.$ZodType, raw: unknown): object | undefined {
  if (schema instanceof z.ZodObject && isJsonObject(raw)) {
    const members = Object.entries(schema.shape as Record<string, z.core.$ZodType>);
    return withReaders(
      {},
      members.map(([name, member]) => [name, settledParts(member, raw[name])]),
    );
  }
  if (schema instanceof z.ZodArray && Array.isArray(raw)) {
    const items = raw.map((item, index) => [String(index), settledParts(schema.element, item)]);
    return withReaders([], items as [string, () => unknown][]);
  }
  return undefined;
}

function withReaders(target: object, readers: readonly [string, () => unknown][]): object {
  for (const [name, get] of readers) {
    Object.defineProperty(target, name, { get, enumerable: true });
  }
  return target;
}

/** What comes of those items for which everything that is asked about is certain. */
export function whereSettled<Item, Result>(
  items: Iterable<Item>,
  find: (item: Item) => Iterable<Result>,
): Result[] {
  return [...items].flatMap((item) => {
    try {
      return [...find(item)];
    } catch (error) {
      if (error instanceof UnsettledError) return [];
      throw error;
    }
  });
}
