/**
 * Edits of the table. Each is one transaction over the current row, its version, the change log and the head:
 * a change without its history cannot exist, and no editor overwrites another (T51).
 */

import { randomUUID } from 'node:crypto';
import { BrokerError } from '../core/errors.ts';
import type { Fault } from '../core/fault.ts';
import { isFreezeId } from '../core/policy/freeze.ts';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import type { MappingEdit, MappingWritten } from '../core/policy/mapping-history.ts';
import type { StoredRoleMapping } from '../core/policy/role-mapping.ts';
import { notOpen } from '../core/proposal.ts';
import { backoffMs, fullJitter } from '../kit/timing/backoff.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { keepingAlive } from '../kit/timing/keeping-alive.ts';
import { sleep } from '../kit/timing/sleep.ts';
import { incompleteRead, readLinks } from './change-log.ts';
import type { Chain } from './entry-chain.ts';
import { readInteger, readText } from './item-attributes.ts';
import {
  changeKey,
  currentKey,
  type Head,
  headKey,
  isMappingId,
  mappingTextMaxLength,
  readHead,
  readMapping,
  tooLong,
  versionKey,
} from './role-mapping-item.ts';
import { Serial } from './serial.ts';
import { type Item, type TableCalls, tableUnavailable } from './table-calls.ts';
import { notSealed, type TableSeal } from './table-seal.ts';
import { classifyFailure } from './transaction-failure.ts';
import { changeEntry, changeTransaction, type PlannedChange } from './transaction-items.ts';

export interface MappingWriterOptions {
  readonly calls: TableCalls;
  readonly rules: MappingRules;
  readonly clock: Clock;
  readonly random: () => number;
  /** From the call to the answer, waiting for other edits included. */
  readonly writeTimeoutMs: number;
  /** Absent: changes are not sealed. */
  readonly seal?: TableSeal | undefined;
}

/**
 * All editors need the one HEAD item, so an edit may lose races before it wins one. Edits of one process queue
 * up instead; the bound is for the case that many processes edit at once.
 */
const maxAttempts = 100;
const backoffLimits = { baseMs: 10, capMs: 1_000 };

export class MappingWriter {
  readonly #calls: TableCalls;
  readonly #rules: MappingRules;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #writeTimeoutMs: number;
  readonly #seal: TableSeal | undefined;
  readonly #queue = new Serial();

  constructor({ calls, rules, clock, random, writeTimeoutMs, seal }: MappingWriterOptions) {
    this.#calls = calls;
    this.#rules = rules;
    this.#clock = clock;
    this.#random = random;
    this.#writeTimeoutMs = writeTimeoutMs;
    this.#seal = seal;
  }

  /**
   * @throws BrokerError `mapping_invalid`, `mapping_not_found`, `precondition_failed`, `proposal_not_open`, `change_not_sealed`: nothing
   * was written; `table_unavailable`: its detail says whether the outcome is known, and its reason is `outcome_unknown`
   * if not
   */
  async write(edit: MappingEdit): Promise<MappingWritten> {
    const text = this.#check(edit);
    const deadline = this.#clock.monotonic() + this.#writeTimeoutMs;
    // Whoever freezes must not wait for those who edit (T186).
    const urgent = edit.mapping !== undefined && isFreezeId(edit.id);
    return await this.#queue.run(() => this.#settle({ ...edit, text, deadline }), { urgent });
  }

  /** The mapping's text; what is written must also be readable. */
  #check({ id, mapping }: MappingEdit): string | undefined {
    if (!isMappingId(id)) {
      throw new BrokerError('mapping_not_found', { detail: 'No role mapping can have this id.' });
    }
    if (mapping === undefined) return undefined;
    const text = JSON.stringify(mapping);
    const row = readMapping({ id, version: 1, text }, this.#rules);
    if (row.kind === 'valid') return text;
    const faults: readonly Fault[] =
      text.length > mappingTextMaxLength ? [{ pointer: '', detail: tooLong }] : row.faults;
    throw new BrokerError('mapping_invalid', {
      detail: 'Correct the faults listed and send the whole role mapping again.',
      faults,
    });
  }

  #settle(edit: TextEdit): Promise<MappingWritten> {
    return keepingAlive(this.#attemptUntilSettled(edit));
  }

  async #attemptUntilSettled(edit: TextEdit): Promise<MappingWritten> {
    const progress: Progress = { writeId: randomUUID(), sent: new Map() };
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      if (attempt > 0) {
        await sleep(this.#clock, fullJitter(backoffMs(attempt, backoffLimits), this.#random));
      }
      if (this.#clock.monotonic() >= edit.deadline) break;
      const result = await this.#attempt(edit, progress).catch((error: unknown) => {
        // What was sent before may have been done: only a later look can tell.
        if (progress.unsettledRevision === undefined || !isUnavailable(error)) throw error;
        progress.cause = error;
      });
      if (result !== undefined) return result;
    }
    throw gaveUp(progress);
  }

  /** Undefined: try again. */
  async #attempt(edit: TextEdit, progress: Progress): Promise<MappingWritten | undefined> {
    // Before the head: the table must not have fallen behind what was known then.
    const known = this.#seal?.newest;
    const [head, current] = await Promise.all([
      this.#calls.get(headKey).then(readHead),
      progress.current ?? this.#readCurrent(edit.id),
    ]);
    // After the head: if that has moved past what was sent, what is not there now will never be.
    const landed = await this.#landed(edit.id, progress);
    if (landed !== undefined) return landed;
    if (head.revision >= (progress.unsettledRevision ?? Number.POSITIVE_INFINITY)) {
      progress.unsettledRevision = undefined;
    }
    requireExpected(edit, current);
    progress.current = current;
    const change = this.#plan(edit, head, current, progress.writeId);
    const entry = await this.#sealed(changeEntry(change), head.revision, known);
    progress.sent.set(change.version, change);
    try {
      await this.#calls.transact(changeTransaction(this.#calls.tableName, change, entry));
      return written(change);
    } catch (error) {
      note(error, change, progress);
      return undefined;
    }
  }

  async #sealed(entry: Item, before: number, known: Chain | undefined): Promise<Item> {
    const seal = this.#seal;
    if (seal === undefined || !seal.isDue(before + 1)) return entry;
    await seal.ready();
    return await seal.sealed(entry, await this.#chainThrough(seal, before, known));
  }

  /** A signature over what nobody had sealed would make it true for every broker. */
  async #chainThrough(seal: TableSeal, revision: number, known: Chain | undefined): Promise<Chain> {
    if ((known?.revision ?? 0) > revision) throw notSealed(fellBack);
    const chain = seal.isDue(revision)
      ? seal.proven(await this.#calls.get(changeKey(revision)))
      : await this.#adopted(seal, revision, known);
    const differs =
      chain.revision !== revision ||
      (known?.revision === revision && known.digest !== chain.digest);
    if (differs) throw notSealed(fellBack);
    seal.remember(chain);
    return chain;
  }

  /** The first seal answers for all that came before it. */
  async #adopted(seal: TableSeal, revision: number, known: Chain | undefined): Promise<Chain> {
    const from = known ?? seal.empty;
    const range = { since: from.revision, through: revision };
    const chain = seal.follow(from, await readLinks(this.#calls, range));
    if (chain === undefined) throw incompleteRead('The change log of the table has a gap.');
    return chain;
  }

  /** Our own success, if an earlier attempt had one without our hearing of it. */
  async #landed(id: string, progress: Progress): Promise<MappingWritten | undefined> {
    // With the row as it was, no attempt can have succeeded.
    if (progress.current !== undefined) return undefined;
    for (const change of progress.sent.values()) {
      const item = await this.#calls.get(versionKey(id, change.version));
      if (item === undefined || readText(item, 'writeId') !== progress.writeId) continue;
      return { ...written(change), revision: readInteger(item, 'revision') ?? change.revision };
    }
    return undefined;
  }

  async #readCurrent(id: string): Promise<Current> {
    const item = await this.#calls.get(currentKey(id));
    const text = readText(item, 'mapping');
    if (item === undefined) {
      const [last] = await this.#calls.query({
        pk: currentKey(id).pk,
        fromSk: versionKey(id, 0).sk,
        toSk: versionKey(id, Number.MAX_SAFE_INTEGER).sk,
        descending: true,
        limit: 1,
      });
      // Deleted before, perhaps: the count of versions goes on.
      return { exists: false, version: readInteger(last, 'version') ?? 0, text, stored: undefined };
    }
    const version = readInteger(item, 'version') ?? 0;
    const row = readMapping({ id, version, text: text ?? '' }, this.#rules);
    const stored = row.kind === 'valid' ? row.stored : undefined;
    return { exists: true, version, text, stored };
  }

  #plan(edit: TextEdit, head: Head, current: Current, writeId: string): PlannedChange {
    const created = edit.expectedVersion === 'absent';
    const deleted = edit.text === undefined;
    const delta = Number(created) - Number(deleted);
    return {
      id: edit.id,
      version: current.version + 1,
      expectedVersion: edit.expectedVersion,
      revision: head.revision + 1,
      mappings: Math.max(0, head.mappings + delta),
      action: deleted ? 'delete' : created ? 'create' : 'replace',
      before: current.text,
      beforeStored: current.stored,
      after: edit.text,
      updatedAt: new Date(this.#clock.now()).toISOString(),
      updatedBy: edit.actor,
      actorProven: edit.actorProven === true,
      reason: edit.reason,
      approvedBy: edit.applying?.closing.by,
      proposal: edit.applying?.proposal.id,
      applying: edit.applying,
      writeId,
    };
  }
}

interface TextEdit extends MappingEdit {
  readonly text: string | undefined;
  /** On the monotonic clock. */
  readonly deadline: number;
}

interface Current {
  readonly exists: boolean;
  /** Of the row, or the last one there was. */
  readonly version: number;
  readonly text: string | undefined;
  readonly stored: StoredRoleMapping | undefined;
}

interface Progress {
  readonly writeId: string;
  /** By version: what was sent last. */
  readonly sent: Map<number, PlannedChange>;
  /** The row as last read; undefined if it may have changed since. */
  current?: Current | undefined;
  /** Revision of a sent change that may have been done, or may still be. */
  unsettledRevision?: number | undefined;
  cause?: unknown;
}

function note(error: unknown, change: PlannedChange, progress: Progress): void {
  progress.cause = error;
  const failure = classifyFailure(error);
  if (failure === 'refused') throw tableUnavailable(error);
  if (failure === 'proposal_closed') throw notOpen('stale');
  if (failure === 'try_again') return;
  progress.current = undefined;
  if (failure === 'unknown') progress.unsettledRevision = change.revision;
}

function requireExpected({ expectedVersion }: MappingEdit, current: Current): void {
  if (expectedVersion === 'absent') {
    if (!current.exists) return;
    throw new BrokerError('precondition_failed', {
      detail: 'A role mapping with this id exists already. Read it and replace that version.',
    });
  }
  if (!current.exists) {
    throw new BrokerError('mapping_not_found', {
      detail: 'There is no role mapping with this id; it may have been deleted meanwhile.',
    });
  }
  if (current.version !== expectedVersion) {
    throw new BrokerError('precondition_failed', {
      detail:
        'Somebody changed the role mapping. Read it again and repeat the change on that version.',
    });
  }
}

function written({ version, revision, beforeStored }: PlannedChange): MappingWritten {
  return { version, revision, before: beforeStored };
}

function gaveUp({ unsettledRevision, cause }: Progress): BrokerError {
  return unsettledRevision === undefined
    ? tableUnavailable(
        cause,
        'The table is too busy with other changes; nothing was written. Try again in a few seconds.',
      )
    : new BrokerError('table_unavailable', {
        detail:
          'The table did not answer, so it is not known whether the change was made. Read the role mapping again before you repeat it.',
        reason: 'outcome_unknown',
        cause,
      });
}

function isUnavailable(error: unknown): boolean {
  return (
    error instanceof BrokerError &&
    (error.code === 'table_unavailable' || error.code === 'change_not_sealed')
  );
}

const fellBack =
  'The change log of the table is not the one that this instance has seen before: it was put back, or written around the API. Nothing may be written after it. docs/operations.md (TokenBrokerTableTampered) says what to do; if the table was restored on purpose, restart.';
