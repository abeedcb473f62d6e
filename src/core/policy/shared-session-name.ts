/**
 * Who may come under one RoleSessionName. `{sub}` tells everybody apart and `{mapping}` one mapping from another;
 * `{requested}` is completed where it alone would not do.
 */

import { remember } from '../remember.ts';
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
export function firstSharersOf(
  mapping: RoleMapping,
  snapshot: PolicySnapshot,
  most: number,
): readonly string[] {
  const { name } = mapping.session;
  if (tellsPeopleApart(name) || name.includes('{mapping}')) return [];
  const index = byNameAndRole(snapshot.byId);
  return placesToMeet(mapping)
    .flatMap((place) => firstOf(index.get(place) ?? [], most, mapping))
    .sort((a, b) => (a < b ? -1 : 1))
    .slice(0, most);
}

function firstOf(
  alike: readonly RoleMapping[],
  most: number,
  { id, principal }: RoleMapping,
): readonly string[] {
  const found: string[] = [];
  for (const other of alike) {
    if (found.length === most) break;
    // The same principal twice is one caller.
    if (other.id !== id && principalKey(other.principal) !== principalKey(principal)) {
      found.push(other.id);
    }
  }
  return found;
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

/** Those that are in force, by id. */
const byNameAndRole = remember((byId: PolicySnapshot['byId']) => {
  const index = new Map<string, RoleMapping[]>();
  for (const { mapping } of byId.values()) {
    const { effect, enabled, session } = mapping;
    if (effect === 'deny' || !enabled || tellsPeopleApart(session.name)) continue;
    for (const place of placesOf(mapping)) {
      const known = index.get(place);
      if (known === undefined) index.set(place, [mapping]);
      else known.push(mapping);
    }
  }
  for (const alike of index.values()) alike.sort((a, b) => (a.id < b.id ? -1 : 1));
  return index;
});
