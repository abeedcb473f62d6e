/** What a file is to say so that changes that were made outside of Git are in it, and its own stay. */

import { canonicalJson, documentChanges } from '../kit/json/document-changes.ts';
import { isJsonObject, type JsonObject, valueAt } from '../kit/json/json-object.ts';
import { pointerPath } from '../kit/json/json-pointer.ts';

export interface TakenOver {
  readonly document: JsonObject;
  /** Pointers of what was changed on both sides, otherwise; of these the document has those of the file. */
  readonly conflicts: readonly string[];
}

/**
 * @param written the file as it is written, without what is the default
 * @param sides the whole mapping as the file has it, as Git had it last, and as the table has it
 */
export function takenOver(
  written: JsonObject,
  sides: { readonly file: unknown; readonly base: unknown; readonly row: unknown },
): TakenOver {
  const { file, base, row } = sides;
  const conflicts: string[] = [];
  let document = written;
  for (const { pointer, before, after } of documentChanges(base, row)) {
    const path = pointerPath(pointer);
    const now = valueAt(file, ...path);
    if (isSame(now, after)) continue;
    if (isSame(now, before)) document = withMember(document, path, after);
    else conflicts.push(pointer);
  }
  return { document, conflicts };
}

function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one) === canonicalJson(other);
}

/** Undefined takes the member away. */
function withMember(object: JsonObject, path: readonly string[], value: unknown): JsonObject {
  const [name = '', ...rest] = path;
  const { [name]: inner, ...others } = object;
  if (rest.length > 0) {
    const below = withMember(isJsonObject(inner) ? inner : {}, rest, value);
    return { ...object, [name]: below };
  }
  return value === undefined ? others : { ...object, [name]: value };
}
