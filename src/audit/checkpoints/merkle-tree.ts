/**
 * The Merkle tree hash of RFC 6962, section 2.1, over a list that only grows: of n leaves at most log2(n) hashes are
 * kept, those of the perfect subtrees that the list falls into, the largest first.
 */

import { hash } from 'node:crypto';

export const hashBytes = 32;
const leafPrefix = Buffer.from([0]);
const nodePrefix = Buffer.from([1]);

export class MerkleTree {
  #size: number;
  readonly #subtrees: Buffer[];

  /** `subtrees` as `parts` had it for that size. @throws RangeError if they do not fit together */
  constructor(size = 0, subtrees: readonly Buffer[] = []) {
    if (
      subtrees.length !== perfectSubtrees(size) ||
      subtrees.some((it) => it.length !== hashBytes)
    ) {
      throw new RangeError('these are not the subtrees of a list of that size');
    }
    this.#size = size;
    this.#subtrees = [...subtrees];
  }

  get size(): number {
    return this.#size;
  }

  get subtrees(): readonly Buffer[] {
    return this.#subtrees;
  }

  append(leaf: Buffer): void {
    let node = sha256(leafPrefix, leaf);
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      node = sha256(nodePrefix, this.#subtrees.pop() ?? Buffer.alloc(0), node);
    }
    this.#subtrees.push(node);
    this.#size += 1;
  }

  root(): Buffer {
    const [last = sha256(), ...larger] = this.#subtrees.toReversed();
    return larger.reduce((right, left) => sha256(nodePrefix, left, right), last);
  }
}

function perfectSubtrees(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

function sha256(...parts: readonly Buffer[]): Buffer {
  return hash('sha256', Buffer.concat(parts), 'buffer');
}
