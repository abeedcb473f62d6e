import { type ChainHead, genesisHash } from '../hash-chain.ts';
import type { Checkpoint } from './checkpoint.ts';
import { MerkleTree } from './merkle-tree.ts';
import { type LogPlace, placedRecords } from './placed-records.ts';

/** The log on the disk is not what was written to it. */
export class LogDiffersError extends Error {
  override readonly name = 'LogDiffersError';
  readonly code = 'EDIFFERS';
}

/** The tree over the records of a chain, up to `head`. */
export interface GrownTree {
  readonly tree: MerkleTree;
  readonly head: ChainHead;
}

export interface Beginning {
  readonly from: GrownTree | undefined;
  /** What was signed for before: the log must bear it out. */
  readonly signed: Checkpoint | undefined;
}

/**
 * Grows the tree over a chain by what stands on the disk, so that nothing is signed for that cannot be read there:
 * a log that is changed while it is written shows within a minute.
 */
export class ChainTree {
  readonly #directory: string;
  readonly #signed: Checkpoint | undefined;
  #tree: MerkleTree;
  #head: ChainHead | undefined;
  #place: LogPlace | undefined;

  constructor(directory: string, { from, signed }: Beginning) {
    this.#directory = directory;
    this.#signed = signed;
    this.#tree = new MerkleTree(from?.tree.size, from?.tree.subtrees);
    this.#head = from?.head;
  }

  /**
   * @throws LogDiffersError if the chain on the disk does not lead to that record, or the system's error. After either it
   * must not be asked again.
   */
  async growTo(target: ChainHead): Promise<GrownTree> {
    if (this.#head?.chain !== target.chain) this.#beginAnew();
    this.#requireSignedRoot();
    if (this.#head?.hash === target.hash) return this.#grown(target);
    const from = this.#head === undefined ? 0 : this.#head.seq + 1;
    for await (const { record, next } of placedRecords(this.#directory, from, this.#place)) {
      if (record.chain !== target.chain || record.seq <= (this.#head?.seq ?? 0)) continue;
      this.#take(record);
      this.#place = next;
      if (record.seq < target.seq) continue;
      if (record.hash === target.hash) return this.#grown(target);
      break;
    }
    throw new LogDiffersError('the record that was written last is not in the log');
  }

  #grown(head: ChainHead): GrownTree {
    const signed = this.#signed;
    if (signed?.chain === head.chain && this.#tree.size < signed.size) {
      throw new LogDiffersError('the log lacks records that were signed for');
    }
    return { tree: this.#tree, head };
  }

  #requireSignedRoot(): void {
    const signed = this.#signed;
    if (signed?.chain !== this.#head?.chain || signed?.size !== this.#tree.size) return;
    if (this.#tree.root().toString('base64') !== signed.root) {
      throw new LogDiffersError('the log is not the one that was signed for');
    }
  }

  #beginAnew(): void {
    this.#tree = new MerkleTree();
    this.#head = undefined;
    this.#place = undefined;
  }

  #take({ chain, seq, prev, hash }: ChainHead & { readonly prev: string }): void {
    const follows =
      this.#head === undefined
        ? prev === genesisHash
        : seq === this.#head.seq + 1 && prev === this.#head.hash;
    if (!follows) throw new LogDiffersError(`record ${seq} does not follow on the one before it`);
    this.#tree.append(Buffer.from(hash, 'hex'));
    this.#head = { chain, seq, hash };
    this.#requireSignedRoot();
  }
}
