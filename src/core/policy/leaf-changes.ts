/** What is different between two JSON documents, as a reviewer reads it: down to the leaf, within lists as well. */

import { canonicalJson, type DocumentChange } from '../../kit/json/document-changes.ts';
import { isJsonObject, type JsonObject, memberOf } from '../../kit/json/json-object.ts';
import { escapePointer, type JsonPointer } from '../../kit/json/json-pointer.ts';

/**
 * An item of a list is the same one if it is equal, has the same `Sid`, or has no `Sid` and stands where the other stood among
 * those that are left. A list of plain values is a set: what came and what went. IAM takes one value for a list of it; so does this.
 */
export function leafChanges(
  before: unknown,
  after: unknown,
  pointer: JsonPointer = '',
): readonly DocumentChange[] {
  if (canonicalJson(before) === canonicalJson(after)) return [];
  if (isJsonObject(before) && isJsonObject(after)) return memberChanges(before, after, pointer);
  if (Array.isArray(before) || Array.isArray(after)) {
    const changes = listChanges(asList(before), asList(after), pointer);
    if (changes !== undefined && changes.length > 0) return changes;
  }
  return [change(pointer, before, after)];
}

function memberChanges(before: JsonObject, after: JsonObject, pointer: JsonPointer) {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) =>
    leafChanges(memberOf(before, name), memberOf(after, name), `${pointer}/${escapePointer(name)}`),
  );
}

interface Item {
  readonly value: unknown;
  readonly at: number;
}

/** Undefined where the one side is no list, and nothing that could stand for a list. */
function listChanges(
  before: readonly unknown[] | undefined,
  after: readonly unknown[] | undefined,
  pointer: JsonPointer,
): readonly DocumentChange[] | undefined {
  if (before === undefined || after === undefined) return undefined;
  const { gone, come } = unequal(before, after);
  const pairs = paired(gone, come);
  const old = new Set(pairs.map(([one]) => one));
  const fresh = new Set(pairs.map(([, one]) => one));
  return [
    ...pairs.flatMap(([from, to]) => leafChanges(from.value, to.value, `${pointer}/${to.at}`)),
    ...gone
      .filter((one) => !old.has(one))
      .map(({ at, value }) => change(`${pointer}/${at}`, value)),
    ...come
      .filter((one) => !fresh.has(one))
      .map(({ at, value }) => change(`${pointer}/${at}`, undefined, value)),
  ];
}

/** What is left of each once equal items are taken away in pairs. */
function unequal(before: readonly unknown[], after: readonly unknown[]) {
  const come = itemsOf(after);
  const gone = itemsOf(before).filter(({ value }) => {
    const equal = come.findIndex((one) => canonicalJson(one.value) === canonicalJson(value));
    if (equal >= 0) come.splice(equal, 1);
    return equal < 0;
  });
  return { gone, come };
}

function paired(gone: readonly Item[], come: readonly Item[]): readonly (readonly [Item, Item])[] {
  const named = (items: readonly Item[], sid: unknown) =>
    items.find(({ value }) => sid !== undefined && sidOf(value) === sid);
  const bySid = gone.flatMap((from): [Item, Item][] => {
    const to = named(come, sidOf(from.value));
    return to === undefined ? [] : [[from, to]];
  });
  const rest = (items: readonly Item[]) =>
    items.filter(({ value }) => isJsonObject(value) && sidOf(value) === undefined);
  const to = rest(come);
  const byPlace = rest(gone)
    .slice(0, to.length)
    .map((from, at): [Item, Item] => [from, to[at] as Item]);
  return [...bySid, ...byPlace];
}

function sidOf(value: unknown): unknown {
  return memberOf(value, 'Sid');
}

function itemsOf(values: readonly unknown[]): Item[] {
  return values.map((value, at) => ({ value, at }));
}

function asList(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  return value === undefined || isJsonObject(value) ? undefined : [value];
}

function change(pointer: JsonPointer, before: unknown, after?: unknown): DocumentChange {
  return {
    pointer,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}
