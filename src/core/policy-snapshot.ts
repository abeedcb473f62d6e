/** All role mappings at one revision, compiled for decisions and never changed afterwards. */

import { BlockList, isIPv6 } from 'node:net';
import type { Caller } from './caller.ts';
import { remember } from './remember.ts';
import type { Principal, RoleMapping, StoredRoleMapping } from './role-mapping.ts';

export interface CompiledMapping {
  readonly mapping: RoleMapping;
  readonly version: number;
  /** 3 for a user, 2 for an app client, 1 for a group, 0 for anyone. */
  readonly specificity: number;
  readonly claims: readonly (readonly [name: string, values: ReadonlySet<string>])[];
  readonly sourceCidrs: BlockList | undefined;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface PolicySnapshot {
  /** Revision of the table: grows by one with each change. */
  readonly revision: number;
  readonly byId: ReadonlyMap<string, CompiledMapping>;
  readonly byPrincipal: ReadonlyMap<string, readonly CompiledMapping[]>;
  /** Every mapping, allow or deny, whose principal is this caller. */
  readonly mappingsFor: (caller: Caller) => readonly CompiledMapping[];
}

/** Disabled mappings stay readable by id but are never found by principal. */
export function compileSnapshot(
  revision: number,
  rows: Iterable<StoredRoleMapping>,
  previous?: PolicySnapshot,
): PolicySnapshot {
  const byId = new Map<string, CompiledMapping>();
  const byPrincipal = new Map<string, CompiledMapping[]>();
  for (const row of rows) {
    const compiled = reuse(previous?.byId.get(row.mapping.id), row) ?? compileMapping(row);
    byId.set(row.mapping.id, compiled);
    if (!row.mapping.enabled) continue;
    const key = principalKey(row.mapping.principal);
    const sharing = byPrincipal.get(key);
    if (sharing === undefined) byPrincipal.set(key, [compiled]);
    else sharing.push(compiled);
  }
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

function compileMapping({ mapping, version }: StoredRoleMapping): CompiledMapping {
  const { conditions, principal } = mapping;
  return {
    mapping,
    version,
    specificity: 'user' in principal ? 3 : 'client' in principal ? 2 : 'group' in principal ? 1 : 0,
    claims: Object.entries(conditions.claims ?? {}).map(([name, values]) => [
      name,
      new Set(values),
    ]),
    sourceCidrs: conditions.sourceCidrs && compileCidrs(conditions.sourceCidrs),
    notBefore: conditions.notBefore === undefined ? 0 : Date.parse(conditions.notBefore),
    expiresAt:
      conditions.expiresAt === undefined
        ? Number.POSITIVE_INFINITY
        : Date.parse(conditions.expiresAt),
  };
}

function compileCidrs(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', prefix = ''] = cidr.split('/');
    list.addSubnet(address, Number(prefix), isIPv6(address) ? 'ipv6' : 'ipv4');
  }
  return list;
}
