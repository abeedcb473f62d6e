/** All role mappings at one revision, compiled for decisions and never changed afterwards. */

import type { Caller } from '../caller.ts';
import { remember } from '../remember.ts';
import { type CompiledCheck, compileConditions } from './conditions/conditions.ts';
import { roleKey } from './role-key.ts';
import type { Principal, RoleMapping, StoredRoleMapping } from './role-mapping.ts';
import { ShardedMap } from './sharded-map.ts';

export interface CompiledMapping {
  readonly mapping: RoleMapping;
  readonly version: number;
  /** 3 for a user, 2 for an app client, 1 for a group, 0 for anyone. */
  readonly specificity: number;
  /** Of `mapping.role`. */
  readonly roleKey: string;
  /** All must hold. */
  readonly checks: readonly CompiledCheck[];
}

export interface PolicySnapshot {
  /** Revision of the table: grows by one with each change. */
  readonly revision: number;
  readonly byId: ShardedMap<CompiledMapping>;
  readonly byPrincipal: ShardedMap<readonly CompiledMapping[]>;
  /** Every mapping, allow or deny, whose principal is this caller. */
  readonly mappingsFor: (caller: Caller) => readonly CompiledMapping[];
}

const nothing: Indexes = { byId: ShardedMap.of(), byPrincipal: ShardedMap.of() };

/** Disabled mappings stay readable by id but are never found by principal. */
export function compileSnapshot(
  revision: number,
  rows: Iterable<StoredRoleMapping>,
  previous?: PolicySnapshot,
): PolicySnapshot {
  return applyChanges(nothing, [{ before: [], after: rows }], { revision, known: previous?.byId });
}

/** The mappings of one row: several, or none, where it cannot be read. */
export interface RowChange {
  readonly before: readonly StoredRoleMapping[];
  readonly after: Iterable<StoredRoleMapping>;
}

/** As if compiled anew, at a cost that depends on the changes and not on the size of the policy. */
export function changeSnapshot(
  previous: PolicySnapshot,
  revision: number,
  changes: Iterable<RowChange>,
): PolicySnapshot {
  return applyChanges(previous, changes, { revision, known: previous.byId });
}

type Indexes = Pick<PolicySnapshot, 'byId' | 'byPrincipal'>;

interface Compilation {
  readonly revision: number;
  /** What is compiled already. */
  readonly known: PolicySnapshot['byId'] | undefined;
}

function applyChanges(
  base: Indexes,
  changes: Iterable<RowChange>,
  { revision, known }: Compilation,
): PolicySnapshot {
  const mappings = new Map<string, CompiledMapping | undefined>();
  /** Lists of the base are shared with it, so each is copied before it is changed. */
  const sharing = new Map<string, CompiledMapping[]>();
  const listOf = (principal: Principal): CompiledMapping[] => {
    const key = principalKey(principal);
    const list = sharing.get(key) ?? [...(base.byPrincipal.get(key) ?? [])];
    sharing.set(key, list);
    return list;
  };
  for (const { before, after } of changes) {
    for (const { mapping } of before) {
      mappings.set(mapping.id, undefined);
      const others = listOf(mapping.principal).filter(({ mapping: { id } }) => id !== mapping.id);
      sharing.set(principalKey(mapping.principal), others);
    }
    for (const row of after) {
      const compiled = reuse(known?.get(row.mapping.id), row) ?? compileMapping(row);
      mappings.set(row.mapping.id, compiled);
      if (row.mapping.enabled) listOf(row.mapping.principal).push(compiled);
    }
  }
  const byId = base.byId.with(mappings);
  const byPrincipal = base.byPrincipal.with(
    [...sharing].map(([key, list]) => [key, list.length > 0 ? list : undefined]),
  );
  return { revision, byId, byPrincipal, mappingsFor: lookup(byPrincipal) };
}

/** Callers come back with the same object for each request with one token. */
function lookup(byPrincipal: PolicySnapshot['byPrincipal']): PolicySnapshot['mappingsFor'] {
  return remember((caller) => principalKeysOf(caller).flatMap((key) => byPrincipal.get(key) ?? []));
}

/** Every key under which a mapping for this caller can stand. */
export function principalKeysOf(caller: Caller): string[] {
  const keys = [joinKey('any', '*', ''), joinKey('any', caller.pool, '')];
  if (caller.clientId !== undefined) keys.push(joinKey('client', caller.pool, caller.clientId));
  // A machine's sub equals its client id: it must not pass for a user of that name.
  if (!caller.machine) keys.push(joinKey('user', caller.pool, caller.subject));
  for (const group of caller.groups) keys.push(joinKey('group', caller.pool, group));
  return keys;
}

/** The key under which mappings for this principal stand. */
export function principalKey(principal: Principal): string {
  if ('user' in principal) return joinKey('user', principal.pool, principal.user);
  if ('client' in principal) return joinKey('client', principal.pool, principal.client);
  if ('group' in principal) return joinKey('group', principal.pool, principal.group);
  return joinKey('any', principal.pool, '');
}

/** Names are printable ASCII, so the line feed keeps the parts apart. */
function joinKey(kind: string, pool: string, name: string): string {
  return `${kind}\n${pool}\n${name}`;
}

function reuse(known: CompiledMapping | undefined, row: StoredRoleMapping) {
  // The same object, not merely the same version: a table restored from a backup may repeat version numbers.
  return known?.mapping === row.mapping && known.version === row.version ? known : undefined;
}

export function compileMapping({ mapping, version }: StoredRoleMapping): CompiledMapping {
  const { principal } = mapping;
  return {
    mapping,
    version,
    specificity: 'user' in principal ? 3 : 'client' in principal ? 2 : 'group' in principal ? 1 : 0,
    roleKey: roleKey(mapping.role),
    checks: compileConditions(mapping),
  };
}
