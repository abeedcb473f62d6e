/**
 * Who may come under one RoleSessionName. `{sub}` tells everybody apart and `{mapping}` one mapping from another;
 * `{requested}` is completed where it alone would not do.
 */

import { remember } from '../remember.ts';
import { takesRequestedName } from '../session/session-name.ts';
import type { CompiledMapping, PolicySnapshot } from './policy-snapshot.ts';
import { roleKey } from './role-key.ts';
import type { RoleMapping } from './role-mapping.ts';

/** Whether two callers of this mapping may have the same name. */
export function sharesItsName({ principal, conditions, session }: RoleMapping): boolean {
  if (tellsPeopleApart(session.name) || 'user' in principal) return false;
  // Of an app client only the machine is one caller.
  return !('client' in principal) || conditions.caller !== 'machine';
}

/** Ids of other mappings with the same role whose callers may have the same name; sorted. */
export function sharersOf(mapping: RoleMapping, snapshot: PolicySnapshot): readonly string[] {
  const { principal, role, session } = mapping;
  const { name } = session;
  if (tellsPeopleApart(name) || name.includes('{mapping}')) return [];
  const alike = byNameAndRole(snapshot.byId).get(nameKey(roleKey(role), name)) ?? [];
  return alike
    .filter(({ mapping: other }) => other.id !== mapping.id && other.enabled)
    .filter(({ mapping: other }) => mayMeet(principal, other.principal, name))
    .map(({ mapping: { id } }) => id)
    .sort((a, b) => (a < b ? -1 : 1));
}

function tellsPeopleApart(template: string): boolean {
  return template.includes('{sub}') || takesRequestedName(template);
}

type Principal = RoleMapping['principal'];

/** Whether different callers of both may have the name; the same app client twice is one caller. */
function mayMeet(a: Principal, b: Principal, name: string): boolean {
  if (JSON.stringify(a) === JSON.stringify(b)) return false;
  return !(name.includes('{client}') && 'client' in a && 'client' in b && a.client !== b.client);
}

const byNameAndRole = remember((byId: PolicySnapshot['byId']) => {
  const index = new Map<string, CompiledMapping[]>();
  for (const compiled of byId.values()) {
    const { effect, session } = compiled.mapping;
    if (effect === 'deny' || tellsPeopleApart(session.name)) continue;
    const key = nameKey(compiled.roleKey, session.name);
    const known = index.get(key);
    if (known === undefined) index.set(key, [compiled]);
    else known.push(compiled);
  }
  return index;
});

function nameKey(role: string, template: string): string {
  return `${role}\n${template}`;
}
