/** All role mappings at one revision, ready for decisions and never changed afterwards. */

import { atOnce, eachInPieces, type PiecesOfWork } from '../../kit/timing/in-turns.ts';
import type { Caller } from '../caller.ts';
import { remember } from '../remember.ts';
import { type CompiledMapping, HeldMapping } from './compiled-mapping.ts';
import { type Group, groupAfter, PrincipalIndex, type Regrouping } from './principal-index.ts';
import type { Principal, StoredRoleMapping } from './role-mapping.ts';
import { type MapDraft, ShardedMap } from './sharded-map.ts';

export interface PolicySnapshot {
  /** Revision of the table: grows by one with each change. */
  readonly revision: number;
  readonly byId: ShardedMap<HeldMapping>;
  readonly byPrincipal: PrincipalIndex;
  /** Every mapping, allow or deny, whose principal is this caller. */
  readonly mappingsFor: (caller: Caller) => readonly CompiledMapping[];
}

const nothing: Indexes = { byId: ShardedMap.of(), byPrincipal: new PrincipalIndex() };

/** Disabled mappings stay readable by id but are never found by principal. */
export function compileSnapshot(
  revision: number,
  rows: Iterable<StoredRoleMapping>,
  previous?: PolicySnapshot,
): PolicySnapshot {
  const draft = new SnapshotDraft(nothing, previous?.byId);
  draft.change([], rows);
  return atOnce(draft.finishing(revision));
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
  return atOnce(changingSnapshot(previous, revision, changes));
}

/** Each may copy a part of two maps, of 2,000 entries where the policy has a million. */
const changesPerPiece = 10;

/** The same for many changes; each row has one. */
export function* changingSnapshot(
  previous: PolicySnapshot,
  revision: number,
  changes: Iterable<RowChange>,
): PiecesOfWork<PolicySnapshot> {
  const draft = new SnapshotDraft(previous, previous.byId);
  yield* eachInPieces(changes, changesPerPiece, ({ before, after }) => {
    draft.change(before, after);
  });
  return yield* draft.finishing(revision);
}

type Indexes = Pick<PolicySnapshot, 'byId' | 'byPrincipal'>;

class SnapshotDraft {
  readonly #byId: MapDraft<HeldMapping>;
  readonly #byPrincipal: MapDraft<Group>;
  readonly #known: PolicySnapshot['byId'] | undefined;
  /** Of principals with several mappings: lists are long, and made anew once for all changes. */
  readonly #regrouped = ShardedMap.of<Regrouping>().draft();

  /** `known`: what is compiled already. */
  constructor({ byId, byPrincipal }: Indexes, known: PolicySnapshot['byId'] | undefined) {
    this.#byId = byId.draft();
    this.#byPrincipal = byPrincipal.draft();
    this.#known = known;
  }

  change(before: Iterable<StoredRoleMapping>, after: Iterable<StoredRoleMapping>): void {
    for (const { mapping } of before) {
      this.#byId.set(mapping.id, undefined);
      this.#remove(principalKey(mapping.principal), mapping.id);
    }
    for (const row of after) {
      const held = holding(row, this.#known?.get(row.mapping.id));
      this.#byId.set(row.mapping.id, held);
      if (row.mapping.enabled) this.#add(principalKey(row.mapping.principal), held);
    }
  }

  *finishing(revision: number): PiecesOfWork<PolicySnapshot> {
    let count = 0;
    for (const regrouping of this.#regrouped.values()) {
      const group = yield* groupAfter(regrouping);
      this.#byPrincipal.set(regrouping.key, group);
      count += 1;
      if (count % changesPerPiece === 0) yield;
    }
    const byPrincipal = new PrincipalIndex(this.#byPrincipal.finished());
    return {
      revision,
      byId: this.#byId.finished(),
      byPrincipal,
      mappingsFor: lookup(byPrincipal),
    };
  }

  #remove(key: string, id: string): void {
    const group = this.#byPrincipal.get(key);
    if (group === undefined) return;
    if (group instanceof HeldMapping && !this.#regrouped.has(key)) {
      if (group.mapping.id === id) this.#byPrincipal.set(key, undefined);
    } else this.#regrouping(key, group).removed.add(id);
  }

  #add(key: string, held: HeldMapping): void {
    const group = this.#byPrincipal.get(key);
    if (group === undefined) this.#byPrincipal.set(key, held);
    else this.#regrouping(key, group).added.push(held);
  }

  #regrouping(key: string, base: Group): Regrouping {
    const known = this.#regrouped.get(key);
    if (known !== undefined) return known;
    const regrouping = { key, base, removed: new Set<string>(), added: [] };
    this.#regrouped.set(key, regrouping);
    return regrouping;
  }
}

/** Callers come back with the same object for each request with one token. */
function lookup(byPrincipal: PrincipalIndex): PolicySnapshot['mappingsFor'] {
  return remember((caller) => {
    const lists = principalKeysOf(caller).map((key) => byPrincipal.inUse(key));
    // By `flatMap` it would have room for 17.
    return ([] as CompiledMapping[]).concat(...lists);
  });
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

function holding(row: StoredRoleMapping, known: HeldMapping | undefined): HeldMapping {
  // The same object, not merely the same version: a table restored from a backup may repeat version numbers.
  if (known?.mapping === row.mapping && known.version === row.version) return known;
  return row instanceof HeldMapping ? row : new HeldMapping(row);
}
