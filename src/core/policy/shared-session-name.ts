/**
 * Who may come under one RoleSessionName. `{sub}` tells everybody apart and `{mapping}` one mapping from another;
 * `{requested}` is completed where it alone would not do.
 */

import { sortedInPieces } from '../../kit/order/sorted-in-pieces.ts';
import { eachInPieces, everyInPieces, type PiecesOfWork } from '../../kit/timing/in-turns.ts';
import { takesRequestedName } from '../session/session-name.ts';
import { type PolicySnapshot, principalKey } from './policy-snapshot.ts';
import { roleKey } from './role-key.ts';
import type { RoleMapping } from './role-mapping.ts';

/** Whether two callers of this mapping may have the same name. */
export function sharesItsName({ principal, conditions, session }: RoleMapping): boolean {
  if (tellsPeopleApart(session.name) || 'user' in principal) return false;
  // Of an app client only the machine is one caller.
  return !('client' in principal) || conditions.caller !== 'machine';
}

/** Ids of other mappings with the same role whose callers may have the same name: the first so many, sorted. */
export type FirstSharers = (mapping: RoleMapping, most: number) => PiecesOfWork<readonly string[]>;

const perPiece = 500;

/** For one mapping or for each of a policy: in one walk. */
export function* firstSharers(
  asked: readonly RoleMapping[],
  snapshot: PolicySnapshot,
): PiecesOfWork<FirstSharers> {
  const byPlace = yield* mappingsByPlace(asked, snapshot);
  return function* firstSharersOf(mapping, most) {
    if (isNamedAlone(mapping)) return [];
    const found: string[] = [];
    for (const place of placesToMeet(mapping)) {
      found.push(...(yield* firstOf(byPlace.get(place) ?? [], most, mapping)));
    }
    return found.sort((a, b) => (a < b ? -1 : 1)).slice(0, most);
  };
}

function* firstOf(
  alike: readonly RoleMapping[],
  most: number,
  { id, principal }: RoleMapping,
): PiecesOfWork<readonly string[]> {
  const found: string[] = [];
  yield* everyInPieces(alike, perPiece, (other) => {
    // The same principal twice is one caller.
    if (other.id !== id && principalKey(other.principal) !== principalKey(principal)) {
      found.push(other.id);
    }
    return found.length < most;
  });
  return found;
}

/** By its own terms: nobody else can have its name. */
function isNamedAlone({ session: { name } }: RoleMapping): boolean {
  return tellsPeopleApart(name) || name.includes('{mapping}');
}

function tellsPeopleApart(template: string): boolean {
  return template.includes('{sub}') || takesRequestedName(template);
}

/**
 * Where those are found who may have the name of this mapping: `{client}` tells app clients apart, so that each meets
 * itself and what is no app client.
 */
function placesToMeet(mapping: RoleMapping): readonly string[] {
  const client = clientInName(mapping);
  const name = nameKey(mapping);
  return client === undefined ? [name] : [`${name}\nclient ${client}`, `${name}\nothers`];
}

/** Where the mapping itself is found. */
function placesOf(mapping: RoleMapping): readonly string[] {
  const client = clientInName(mapping);
  const name = nameKey(mapping);
  return [name, client === undefined ? `${name}\nothers` : `${name}\nclient ${client}`];
}

function nameKey({ role, session }: RoleMapping): string {
  return `${roleKey(role)}\n${session.name}`;
}

function clientInName({ principal, session }: RoleMapping): string | undefined {
  return 'client' in principal && session.name.includes('{client}') ? principal.client : undefined;
}

/** Those that are in force, sorted by id, of the places where somebody asked about may meet them. */
function* mappingsByPlace(
  asked: readonly RoleMapping[],
  { byId }: PolicySnapshot,
): PiecesOfWork<ReadonlyMap<string, readonly RoleMapping[]>> {
  const wanted = new Map<string, RoleMapping[]>();
  const names = new Set<string>();
  yield* eachInPieces(asked, perPiece, (mapping) => {
    if (isNamedAlone(mapping)) return;
    names.add(mapping.session.name);
    for (const place of placesToMeet(mapping)) wanted.set(place, []);
  });
  if (wanted.size === 0) return wanted;
  yield* eachInPieces(byId.values(), perPiece, ({ mapping }) => {
    const { effect, enabled, session } = mapping;
    // Names are compared first, because to make the key of a place takes much longer.
    if (effect === 'deny' || !enabled || !names.has(session.name)) return;
    for (const place of placesOf(mapping)) wanted.get(place)?.push(mapping);
  });
  const sorted = new Map<string, readonly RoleMapping[]>();
  for (const [place, alike] of wanted) {
    sorted.set(place, yield* sortedInPieces(alike, (a, b) => (a.id < b.id ? -1 : 1)));
  }
  return sorted;
}
