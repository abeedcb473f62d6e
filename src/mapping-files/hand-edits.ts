/** What was changed outside of Git, read off the history of the table, and told apart from what the files change. */

import type { MappingVersion } from '../core/editing/mapping-history.ts';
import { leafChanges } from '../core/policy/leaf-changes.ts';
import { isManagedByGit } from '../core/policy/managed-by-git.ts';
import { canonicalJson, type DocumentChange } from '../kit/json/document-changes.ts';
import { isJsonObject, memberOf } from '../kit/json/json-object.ts';
import { pointerPath } from '../kit/json/json-pointer.ts';

export interface HandEdits {
  /** Since Git wrote the mapping last; newest first, at least one. */
  readonly edits: readonly MappingVersion[];
  /** What Git wrote last; undefined: nothing, or the mapping was not there. */
  readonly base: unknown;
}

/**
 * @param versions newest first, as far back as anybody looks
 * @returns undefined where the newest version is not one of these
 */
export function handEditsOf(versions: readonly MappingVersion[]): HandEdits | undefined {
  const at = versions.findIndex((_version, index) => isOfGit(versions, index));
  const edits = at === -1 ? versions : versions.slice(0, at);
  return edits.length === 0 ? undefined : { edits, base: versions[at]?.document };
}

/** What Git manages before or after it, the API changes with an override only; what it does not is the API's (T380). */
function isOfGit(versions: readonly MappingVersion[], at: number): boolean {
  const [version, before] = [versions[at], versions[at + 1]];
  if (version?.override === true) return false;
  return isManagedByGit(version?.document) || isManagedByGit(before?.document);
}

export interface ToldApart {
  /** What undoes what was changed outside of Git. */
  readonly takesBack: readonly DocumentChange[];
  /** What the files change themselves. */
  readonly own: readonly DocumentChange[];
}

/** Whether the files take back any of it, or change the same: what they have as well is settled. */
export function isUnsettled(
  row: unknown,
  file: unknown,
  { base }: Pick<HandEdits, 'base'>,
): boolean {
  const byHand = leafChanges(base ?? {}, row ?? {}).map((change) => placeOf(change, row));
  return leafChanges(row ?? {}, file ?? {})
    .map((change) => placeOf(change, file))
    .some((place) => byHand.some((other) => isWithin(place, other) || isWithin(other, place)));
}

/** The differences between a row and its file, leaf by leaf. */
export function toldApart(
  row: unknown,
  file: unknown,
  { base }: Pick<HandEdits, 'base'>,
): ToldApart {
  const back = new Set(leafChanges(row ?? {}, base ?? {}).map((change) => textOf(change, base)));
  const all = leafChanges(row ?? {}, file ?? {});
  return {
    takesBack: all.filter((change) => back.has(textOf(change, file))),
    own: all.filter((change) => !back.has(textOf(change, file))),
  };
}

/**
 * The way to what a change leads to in `after`. An item of a list goes by what it is: where it stands depends on what else came and
 * went. One that is changed within and has no `Sid` may be any of those.
 */
function placeOf(change: DocumentChange, after: unknown): readonly string[] {
  const names = pointerPath(change.pointer);
  let around: unknown = after ?? {};
  return names.map((name, at) => {
    const isItem = !isJsonObject(around);
    const isWhole = at === names.length - 1;
    around = isWhole ? (change.after ?? change.before) : partOf(around, name);
    return isItem ? `item ${itemText(around, isWhole)}` : `member ${name}`;
  });
}

function itemText(item: unknown, isWhole: boolean): string | undefined {
  const sid = memberOf(item, 'Sid');
  if (sid !== undefined) return `with Sid ${canonicalJson(sid)}`;
  return isWhole ? canonicalJson(item) : 'without Sid';
}

/** Of an object or a list. */
function partOf(value: unknown, name: string): unknown {
  return Array.isArray(value) ? value[Number(name)] : memberOf(value, name);
}

function isWithin(place: readonly string[], around: readonly string[]): boolean {
  return around.every((name, at) => place[at] === name);
}

/** Equal for equal changes of the same. */
function textOf(change: DocumentChange, after: unknown): string | undefined {
  const { before, after: value } = change;
  return canonicalJson({ place: placeOf(change, after), before, value });
}
