/**
 * Edits of the table. Each is in one transaction over the current row, its version, the change log and the head:
 * a change without its history cannot exist, and no editor overwrites another (T51). Edits that are written together are
 * in one transaction.
 */

import { randomUUID } from 'node:crypto';
import type { MappingEdit, MappingWritten } from '../core/editing/mapping-history.ts';
import { notOpen } from '../core/editing/proposal.ts';
import { BrokerError } from '../core/errors.ts';
import type { Fault } from '../core/fault.ts';
import { isFreezeId } from '../core/policy/freeze.ts';
import type { MappingRules } from '../core/policy/mapping-check.ts';
import { isMappingId } from '../core/policy/role-mapping.ts';
import { backoffMs, fullJitter } from '../kit/timing/backoff.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { keepingAlive } from '../kit/timing/keeping-alive.ts';
import { sleep } from '../kit/timing/sleep.ts';
import { type BaseRow, readBaseRow } from './base-row.ts';
import { readLinks } from './change-log.ts';
import type { Chain } from './entry-chain.ts';
import { readInteger, readText } from './item-attributes.ts';
import {
  changeKey,
  type Head,
  headKey,
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
import { changeEntry, changeTransaction, type TableChange } from './transaction-items.ts';

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
/** What a table has no room for twice it may never have room for, and for half of it at once. */
const maxThrottledTogether = 2;

/** Nothing was written: DynamoDB throttles a transaction as a whole, and may take a smaller one. */
export class TooMuchAtOnceError extends Error {
  override readonly name = 'TooMuchAtOnceError';

  constructor(cause: unknown) {
    super('the table has no room for so many edits at once', { cause });
  }
}

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
   * All of them or none, each under the revision after that of the one before it; of `maxEditsAtOnce` mappings at most,
   * and of each once. `rows` are what they are based on, as far as it was read
   * a moment ago: the transaction says if one has changed since.
   *
   * @throws BrokerError `mapping_invalid`, `mapping_not_found`, `precondition_failed`, `proposal_not_open`, `change_not_sealed`: nothing
   * was written; `table_unavailable`: its detail says whether the outcome is known, and its reason is `outcome_unknown`
   * if not
   * @throws TooMuchAtOnceError where there are several of them
   */
  async write(
    edits: readonly MappingEdit[],
    rows: KnownBases = new Map(),
  ): Promise<readonly MappingWritten[]> {
    const texts = edits.map((edit) => ({
      ...edit,
      text: this.#check(edit),
      writeId: randomUUID(),
    }));
    const deadline = this.#clock.monotonic() + this.#writeTimeoutMs;
    // Whoever freezes must not wait for those who edit (T186).
    const urgent = edits.some(({ id, mapping }) => mapping !== undefined && isFreezeId(id));
    return await this.#queue.run(
      () => keepingAlive(this.#attemptUntilSettled(texts, deadline, rows)),
      {
        urgent,
      },
    );
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

  /** @param deadline on the monotonic clock */
  async #attemptUntilSettled(
    edits: readonly TextEdit[],
    deadline: number,
    rows: KnownBases,
  ): Promise<readonly MappingWritten[]> {
    const progress: Progress = { sent: new Map(), rows, throttled: 0 };
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      if (attempt > 0) {
        await sleep(this.#clock, fullJitter(backoffMs(attempt, backoffLimits), this.#random));
      }
      if (this.#clock.monotonic() >= deadline) break;
      const result = await this.#attempt(edits, progress).catch((error: unknown) => {
        // What was sent before may have been done: only a later look can tell.
        if (progress.unsettledRevision === undefined || !isUnavailable(error)) throw error;
        progress.cause = error;
      });
      if (result !== undefined) return result;
      if (edits.length > 1 && isThrottled(progress)) throw new TooMuchAtOnceError(progress.cause);
    }
    throw gaveUp(progress);
  }

  /** Undefined: try again. */
  async #attempt(
    edits: readonly TextEdit[],
    progress: Progress,
  ): Promise<readonly MappingWritten[] | undefined> {
    // Before the head: the table must not have fallen behind what was known then.
    const known = this.#seal?.newest;
    const [head, current] = await Promise.all([
      this.#calls.get(headKey).then(readHead),
      progress.current ?? Promise.all(edits.map((edit) => this.#based(edit, progress.rows))),
    ]);
    // After the head: if that has moved past what was sent, what is not there now will never be.
    const landed = await this.#landed(progress);
    if (landed !== undefined) return landed;
    if (head.revision >= (progress.unsettledRevision ?? Number.POSITIVE_INFINITY)) {
      progress.unsettledRevision = undefined;
    }
    for (const { edit, row } of current) requireExpected(edit, row);
    progress.current = current;
    const changes = this.#plan(current, head);
    const entries = await this.#sealed(changes.map(changeEntry), head.revision, known);
    progress.sent.set(changes[0]?.version ?? 0, changes);
    try {
      await this.#calls.transact(changeTransaction(this.#calls.tableName, changes, entries));
      return changes.map(written);
    } catch (error) {
      note(error, changes, progress);
      return undefined;
    }
  }

  /** @param before revision before the first entry */
  async #sealed(
    entries: readonly Item[],
    before: number,
    known: Chain | undefined,
  ): Promise<readonly Item[]> {
    const seal = this.#seal;
    if (seal === undefined) return entries;
    await seal.ready();
    return await seal.sealed(entries, await this.#chainThrough(seal, before, known));
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

  /** The first seal answers for all that came before it, and so does the anchor. */
  async #adopted(seal: TableSeal, revision: number, known: Chain | undefined): Promise<Chain> {
    const from = known ?? seal.empty;
    const range = { since: from.revision, through: revision };
    const chain = seal.follow(from, await readLinks(this.#calls, range));
    if (chain === undefined) throw notSealed(notAnchored);
    return chain;
  }

  /** Our own success, if an earlier attempt had one without our hearing of it. */
  async #landed({ current, sent }: Progress): Promise<readonly MappingWritten[] | undefined> {
    // With the rows as they were, no attempt can have succeeded.
    if (current !== undefined) return undefined;
    for (const changes of sent.values()) {
      const [first] = changes;
      if (first === undefined) continue;
      const item = await this.#calls.get(versionKey(first.id, first.version));
      if (item === undefined || readText(item, 'writeId') !== first.writeId) continue;
      // What was sent with it was done with it.
      const revision = readInteger(item, 'revision') ?? first.revision;
      return changes.map((change, index) => ({ ...written(change), revision: revision + index }));
    }
    return undefined;
  }

  async #based(edit: TextEdit, rows: KnownBases): Promise<BasedEdit> {
    const { id } = edit;
    return { edit, row: rows.get(id) ?? (await readBaseRow(this.#calls, id, this.#rules)) };
  }

  #plan(edits: readonly BasedEdit[], head: Head): readonly TableChange[] {
    let { revision, mappings } = head;
    const updatedAt = new Date(this.#clock.now()).toISOString();
    return edits.map(({ edit, row }) => {
      const created = edit.expectedVersion === 'absent';
      const deleted = edit.text === undefined;
      revision += 1;
      mappings = Math.max(0, mappings + Number(created) - Number(deleted));
      return {
        id: edit.id,
        version: row.version + 1,
        expectedVersion: edit.expectedVersion,
        revision,
        mappings,
        action: deleted ? 'delete' : created ? 'create' : 'replace',
        before: row.text,
        beforeStored: row.stored,
        after: edit.text,
        updatedAt,
        updatedBy: edit.actor,
        actorProven: edit.actorProven === true,
        reason: edit.reason,
        override: edit.override === true ? true : undefined,
        approvedBy: edit.applying?.closing.by,
        proposal: edit.applying?.proposal.id,
        applying: edit.applying,
        writeId: edit.writeId,
      };
    });
  }
}

interface TextEdit extends MappingEdit {
  readonly text: string | undefined;
  readonly writeId: string;
}

interface BasedEdit {
  readonly edit: TextEdit;
  readonly row: BaseRow;
}

/** By id: rows that were read a moment ago. */
export type KnownBases = ReadonlyMap<string, BaseRow>;

interface Progress {
  /** By the version of the first of them: what was sent last. */
  readonly sent: Map<number, readonly TableChange[]>;
  /** How often the table had no room for what was sent. */
  throttled: number;
  /** As whoever edits has read them; empty once one may have changed. */
  rows: KnownBases;
  /** The rows as last read; undefined if one may have changed since. */
  current?: readonly BasedEdit[] | undefined;
  /** The first revision of what was sent, and may have been done or may still be. */
  unsettledRevision?: number | undefined;
  cause?: unknown;
}

function note(error: unknown, changes: readonly TableChange[], progress: Progress): void {
  progress.cause = error;
  const failure = classifyFailure(error, changes.length);
  if (failure === 'refused') throw tableUnavailable(error);
  if (failure === 'proposal_closed') throw notOpen('stale');
  if (failure === 'try_again') return;
  if (failure === 'throttled') {
    progress.throttled += 1;
    return;
  }
  progress.current = undefined;
  progress.rows = new Map();
  if (failure === 'unknown') progress.unsettledRevision = changes[0]?.revision;
}

function isThrottled({ throttled, unsettledRevision }: Progress): boolean {
  return throttled >= maxThrottledTogether && unsettledRevision === undefined;
}

function requireExpected(
  { expectedVersion, applying }: MappingEdit,
  { item, version }: BaseRow,
): void {
  if (expectedVersion === 'absent') {
    if (item === undefined) {
      // Its number must be free, so nobody can make and delete one between this look and the transaction.
      if ((applying?.proposal.deletedVersion ?? version) === version) return;
      throw notOpen('stale');
    }
    throw new BrokerError('precondition_failed', {
      detail: 'A role mapping with this id exists already. Read it and replace that version.',
    });
  }
  if (item === undefined) {
    throw new BrokerError('mapping_not_found', {
      detail: 'There is no role mapping with this id; it may have been deleted meanwhile.',
    });
  }
  if (version !== expectedVersion) {
    throw new BrokerError('precondition_failed', {
      detail:
        'Somebody changed the role mapping. Read it again and repeat the change on that version.',
    });
  }
}

function written({ version, revision, beforeStored }: TableChange): MappingWritten {
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

const notAnchored =
  'The change log of the table is not the one of policy.seal.anchor, or does not reach it: it was put back, or written around the API, or the setting is wrong. Nothing may be written after it. docs/operations.md (TokenBrokerTableTampered) says what to do; docs/table.md says how seals begin.';

const fellBack =
  'The change log of the table is not the one that this instance has seen before: it was put back, or written around the API. Nothing may be written after it. docs/operations.md (TokenBrokerTableTampered) says what to do; if the table was restored on purpose, restart.';
