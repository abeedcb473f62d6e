/** What is different between two JSON documents. */

import { isJsonObject, memberOf } from './json-object.ts';
import { escapePointer, type JsonPointer } from './json-pointer.ts';

export interface DocumentChange {
  readonly pointer: JsonPointer;
  /** Absent if the member is new. */
  readonly before?: unknown;
  /** Absent if the member is gone. */
  readonly after?: unknown;
}

/** Member by member; a list counts as one value. Undefined stands for no document at all. */
export function documentChanges(
  before: unknown,
  after: unknown,
  pointer: JsonPointer = '',
): DocumentChange[] {
  // Most texts of most documents are equal, and need not be printed for that.
  if (before === after) return [];
  if (isJsonObject(before) && isJsonObject(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) =>
      documentChanges(
        memberOf(before, name),
        memberOf(after, name),
        `${pointer}/${escapePointer(name)}`,
      ),
    );
  }
  if (canonicalJson(before) === canonicalJson(after)) return [];
  return [
    {
      pointer,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    },
  ];
}

/** Equal texts for equal values, whatever the order of names. */
export function canonicalJson(value: unknown): string | undefined {
  return JSON.stringify(value, (_name, item: unknown) =>
    isJsonObject(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
