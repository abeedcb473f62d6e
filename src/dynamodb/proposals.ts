/**
 * Proposals in the table of the role mappings, so that one is applied in one transaction with its edit. They are rows
 * of one partition, by id and so by time; nothing of a row changes but how it ended, and it ends once. Where changes of
 * the table are sealed, each row has a seal as well: one that somebody else wrote is none (T241).
 */

import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import type { ProposalStore, RecentProposals } from '../core/editing/ports.ts';
import { notOpen, type Proposal, type ProposalClosing } from '../core/editing/proposal.ts';
import { BrokerError } from '../core/errors.ts';
import { backoffMs, fullJitter } from '../kit/timing/backoff.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { keepingAlive } from '../kit/timing/keeping-alive.ts';
import { sleep } from '../kit/timing/sleep.ts';
import {
  countWrites,
  type ProposalCounts,
  readCounts,
  recentProposals,
} from './proposal-counts.ts';
import {
  proposalItem,
  proposalKey,
  proposalPartition,
  proposalSealText,
  readProposalItem,
  sealOf,
  whileOpen,
} from './proposal-item.ts';
import { Serial } from './serial.ts';
import { type Item, type TableCalls, tableUnavailable } from './table-calls.ts';
import type { TableSeal } from './table-seal.ts';
import { classifyFailure } from './transaction-failure.ts';

export interface ProposalTableOptions {
  readonly calls: TableCalls;
  readonly clock: Clock;
  readonly random: () => number;
  /** For one proposal, waiting for others included. */
  readonly writeTimeoutMs: number;
  /** Absent: nothing is sealed. */
  readonly seal?: TableSeal | undefined;
}

const backoffLimits = { baseMs: 10, capMs: 1_000 };
const onlyNew = { ConditionExpression: 'attribute_not_exists(pk)' };

export class ProposalTable implements ProposalStore {
  readonly #calls: TableCalls;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #writeTimeoutMs: number;
  readonly #seal: TableSeal | undefined;
  /** Those of one process would only keep each other from being counted. */
  readonly #queue = new Serial();

  constructor({ calls, clock, random, writeTimeoutMs, seal }: ProposalTableOptions) {
    this.#calls = calls;
    this.#clock = clock;
    this.#random = random;
    this.#writeTimeoutMs = writeTimeoutMs;
    this.#seal = seal;
  }

  async get(id: string): Promise<Proposal | undefined> {
    const item = await this.#calls.get(proposalKey(id));
    return item && (await this.#read(item));
  }

  async list({
    before,
    limit,
  }: {
    readonly before?: string | undefined;
    readonly limit: number;
  }): Promise<readonly Proposal[]> {
    const found: Proposal[] = [];
    let last = before;
    // Rows that are no proposals do not hide those behind them.
    for (;;) {
      const wanted = limit - found.length;
      const items = await this.#calls.query({
        pk: proposalPartition,
        fromSk: '0',
        // Both ends are part of a range, and this one is not wanted.
        toSk: last ?? '~',
        descending: true,
        limit: wanted + 1,
      });
      const others = items.filter(({ sk }) => sk?.S !== last).slice(0, wanted);
      for (const item of others) {
        const proposal = await this.#read(item);
        if (proposal !== undefined) found.push(proposal);
      }
      last = others.at(-1)?.['sk']?.S;
      if (found.length === limit || last === undefined || items.length <= wanted) return found;
    }
  }

  async add(
    planned: Proposal,
    author: string,
    decide: (recent: RecentProposals) => Promise<Proposal | undefined>,
  ): Promise<Proposal> {
    const deadline = this.#clock.monotonic() + this.#writeTimeoutMs;
    return await this.#queue.run(() =>
      keepingAlive(this.#attemptUntilAdded({ planned, author, decide, deadline })),
    );
  }

  async #attemptUntilAdded({ planned, author, decide, deadline }: Adding): Promise<Proposal> {
    let item: Item | undefined;
    for (let attempt = 0; this.#clock.monotonic() < deadline; attempt += 1) {
      if (attempt > 0) {
        await sleep(this.#clock, fullJitter(backoffMs(attempt, backoffLimits), this.#random));
      }
      const counts = await readCounts(this.#calls, author, planned);
      const instead = await decide(recentProposals(counts));
      if (instead !== undefined) return instead;
      item ??= await this.#sealed(proposalItem(planned));
      if (await this.#isAdded(item, counts, planned)) return planned;
    }
    throw tableUnavailable(
      undefined,
      'The table is too busy with other proposals; nothing was written. Try again in a few seconds.',
    );
  }

  /** False: others were counted meanwhile, so that nothing was written. */
  async #isAdded(item: Item, counts: ProposalCounts, planned: Proposal): Promise<boolean> {
    const { tableName } = this.#calls;
    const put = { Put: { TableName: tableName, Item: item, ...onlyNew } };
    try {
      await this.#calls.transact([put, ...countWrites(tableName, counts, planned)]);
      return true;
    } catch (error) {
      const failure = classifyFailure(error);
      if (failure === 'refused') throw tableUnavailable(error);
      // An answer may have been lost.
      const there = await this.get(planned.id).catch(() => undefined);
      if (there !== undefined) return true;
      if (failure === 'unknown') throw unsettled(error);
      return false;
    }
  }

  async close(proposal: Proposal, closing: ProposalClosing): Promise<void> {
    const item = proposalItem({ ...proposal, closing });
    const put = { Put: { TableName: this.#calls.tableName, Item: item, ...whileOpen } };
    await this.#calls.transact([put]).catch(async (error: unknown) => {
      if (!isConditionFailure(error)) throw unsettled(error);
      const now = await this.get(proposal.id);
      throw notOpen(now?.closing?.state ?? 'stale');
    });
  }

  async #sealed(item: Item): Promise<Item> {
    if (this.#seal === undefined) return item;
    await this.#seal.ready();
    const signature = await this.#seal.signature(proposalSealText(this.#seal.name, item));
    return { ...item, seal: { S: signature.toString('base64') } };
  }

  async #read(item: Item): Promise<Proposal | undefined> {
    const seal = this.#seal;
    if (seal !== undefined) {
      await seal.loaded();
      if (!seal.proves(sealOf(item), proposalSealText(seal.name, item))) return undefined;
    }
    return readProposalItem(item);
  }
}

interface Adding {
  readonly planned: Proposal;
  readonly author: string;
  readonly decide: (recent: RecentProposals) => Promise<Proposal | undefined>;
  /** On the monotonic clock. */
  readonly deadline: number;
}

/** Of a transaction of one write: its condition did not hold, so nothing was done. */
function isConditionFailure(error: unknown): boolean {
  const { cause } = error as Error;
  return (
    cause instanceof TransactionCanceledException &&
    cause.CancellationReasons?.[0]?.Code === 'ConditionalCheckFailed'
  );
}

function unsettled(cause: unknown): BrokerError {
  const known = tableUnavailable(cause);
  return new BrokerError('table_unavailable', {
    detail: `${known.message} Read the proposal again before you repeat this.`,
    reason: 'outcome_unknown',
    cause,
  });
}
