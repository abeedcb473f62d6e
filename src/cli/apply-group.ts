/**
 * Some changes of a plan, one after the other in it: each is an edit of its own, with its checks and its record, and what
 * comes of them is written in one transaction. To the table and its readers it is as if they had been made one by one.
 */

import type { MappingEdit, MappingWritten } from '../core/editing/mapping-history.ts';
import type { RoleMappingStore } from '../core/editing/ports.ts';
import { BrokerError } from '../core/errors.ts';
import { isMappingId } from '../core/policy/role-mapping.ts';
import type { BaseRow } from '../dynamodb/base-row.ts';
import { TooMuchAtOnceError } from '../dynamodb/mapping-writer.ts';
import type { RoleMappingTable } from '../dynamodb/role-mapping-table.ts';
import type { PlannedChange } from '../mapping-files/mapping-plan.ts';
import type { WritePace } from './write-pace.ts';

/** A quarter of the 4 MB that DynamoDB takes at once. */
const maxBytesAtOnce = 1024 * 1024;

/** In their order; `atMost` says of each group how many may be in it, once the one before it is done. */
export function* groupsOf(
  changes: readonly PlannedChange[],
  atMost: () => number,
): Generator<readonly PlannedChange[]> {
  let group: PlannedChange[] = [];
  let bytes = 0;
  for (const change of changes) {
    const added = bytesOf(change);
    const isFull = group.length >= atMost() || bytes + added > maxBytesAtOnce;
    if (isFull && group.length > 0) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(change);
    bytes += added;
  }
  if (group.length > 0) yield group;
}

/** What is after it stands in the row, its version and the change log, and what was before it in the last of them. */
function bytesOf({ before, after }: PlannedChange): number {
  const [was, is] = [before, after].map((document) => Buffer.byteLength(JSON.stringify(document)));
  return (was ?? 0) + 3 * (is ?? 0);
}

type Member =
  | { readonly kind: 'under_way' }
  | { readonly kind: 'writing'; readonly edit: MappingEdit; readonly told: Told }
  /** There is nothing to write, or nobody waits for it any more. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed' };

interface Told {
  readonly resolve: (written: MappingWritten) => void;
  readonly reject: (error: unknown) => void;
}

/** The store of the edits of one group: it writes once each of them has said what it has to write, or that it has nothing. */
export class ApplyGroup implements RoleMappingStore {
  readonly #table: RoleMappingTable;
  readonly #pace: WritePace;
  /** In the order in which they are written. */
  readonly #members: Map<string, Member>;
  /** As the checks of the edits have seen them: nobody reads them once more. */
  readonly #rows = new Map<string, BaseRow>();

  constructor(table: RoleMappingTable, pace: WritePace, ids: readonly string[]) {
    this.#table = table;
    this.#pace = pace;
    this.#members = new Map(ids.map((id) => [id, { kind: 'under_way' }]));
  }

  head(): Promise<number> {
    return this.#table.head();
  }

  async get(id: string): ReturnType<RoleMappingStore['get']> {
    if (!isMappingId(id)) return undefined;
    const { row, current } = await this.#table.getBase(id);
    this.#rows.set(id, row);
    return current;
  }

  versions(
    ...args: Parameters<RoleMappingStore['versions']>
  ): ReturnType<RoleMappingStore['versions']> {
    return this.#table.versions(...args);
  }

  version(
    ...args: Parameters<RoleMappingStore['version']>
  ): ReturnType<RoleMappingStore['version']> {
    return this.#table.version(...args);
  }

  changesSince(
    ...args: Parameters<RoleMappingStore['changesSince']>
  ): ReturnType<RoleMappingStore['changesSince']> {
    return this.#table.changesSince(...args);
  }

  write(edit: MappingEdit): Promise<MappingWritten> {
    return new Promise((resolve, reject) => {
      this.#members.set(edit.id, { kind: 'writing', edit, told: { resolve, reject } });
      this.#proceed();
    });
  }

  /** The outcome of an edit of the group, which the others wait for. */
  async follow<Outcome>(id: string, outcome: Promise<Outcome>): Promise<Outcome> {
    try {
      const result = await outcome;
      this.#end(id, 'ended');
      return result;
    } catch (error) {
      this.#end(id, 'failed');
      throw error;
    }
  }

  #end(id: string, kind: 'ended' | 'failed'): void {
    if (this.#members.get(id)?.kind !== 'under_way') return;
    this.#members.set(id, { kind });
    this.#proceed();
  }

  #proceed(): void {
    const members = [...this.#members.values()];
    if (members.some(({ kind }) => kind === 'under_way')) return;
    const failed = members.findIndex(({ kind }) => kind === 'failed');
    const before = failed < 0 ? members : members.slice(0, failed);
    const after = failed < 0 ? [] : members.slice(failed);
    for (const member of after) if (member.kind === 'writing') member.told.reject(notReached());
    void this.#write(before.filter((member) => member.kind === 'writing'));
  }

  /** As many at once as the table takes. */
  async #write(members: readonly Writing[]): Promise<void> {
    let rest = members;
    let isStopped = false;
    while (rest.length > 0 && !isStopped) {
      const now = rest.slice(0, this.#pace.atOnce);
      const outcome = await this.#writeTogether(now);
      if (outcome === 'throttled') continue;
      rest = rest.slice(now.length);
      isStopped = outcome === 'stopped';
    }
    for (const { told } of rest) told.reject(notReached());
  }

  async #writeTogether(members: readonly Writing[]): Promise<'written' | 'throttled' | 'stopped'> {
    try {
      const edits = members.map(({ edit }) => edit);
      const written = await this.#table.writeTogether(edits, this.#rows);
      for (const [index, one] of written.entries()) members[index]?.told.resolve(one);
      this.#pace.taken();
      return 'written';
    } catch (error) {
      if (error instanceof TooMuchAtOnceError) {
        this.#pace.throttled(members.length);
        return 'throttled';
      }
      if (members.length > 1 && isNothingWritten(error)) return await this.#writeEach(members);
      for (const { told } of members) told.reject(error);
      return 'stopped';
    }
  }

  /** One of them cannot be written: those before it are, and it says why. */
  async #writeEach(members: readonly Writing[]): Promise<'written' | 'stopped'> {
    for (const [index, { edit, told }] of members.entries()) {
      try {
        told.resolve(await this.#table.write(edit));
      } catch (error) {
        told.reject(error);
        for (const later of members.slice(index + 1)) later.told.reject(notReached());
        return 'stopped';
      }
    }
    return 'written';
  }
}

type Writing = Extract<Member, { kind: 'writing' }>;

function isNothingWritten(error: unknown): boolean {
  return error instanceof BrokerError && error.reason !== 'outcome_unknown';
}

function notReached(): BrokerError {
  return new BrokerError('precondition_failed', {
    detail: 'A change before it in the plan was not made, so neither was this one.',
  });
}
