import { genesisHash, type SealedRecord } from '../hash-chain.ts';
import type { Checkpoint } from './checkpoint.ts';
import { MerkleTree } from './merkle-tree.ts';

interface Followed {
  readonly tree: MerkleTree;
  readonly roots: Map<number, string>;
}

/** Holds a log, record by record, against what was signed for it. */
export class CheckpointCheck {
  readonly #checkpoints: readonly Checkpoint[];
  readonly #chains = new Map<string, Followed>();

  constructor(checkpoints: readonly Checkpoint[]) {
    this.#checkpoints = checkpoints;
    for (const { chain, size } of checkpoints) {
      const followed = this.#chains.get(chain) ?? { tree: new MerkleTree(), roots: new Map() };
      followed.roots.set(size, '');
      this.#chains.set(chain, followed);
    }
  }

  /** In the order of the log. What is wrong with that order is for the chain's own verifier to say. */
  take({ chain, prev, hash }: SealedRecord): void {
    const followed = this.#chains.get(chain);
    if (followed === undefined) return;
    const { tree, roots } = followed;
    // Over what does not begin with the chain there is no root to compare.
    if (tree.size === 0 && prev !== genesisHash) return;
    tree.append(Buffer.from(hash, 'hex'));
    if (roots.has(tree.size)) roots.set(tree.size, tree.root().toString('base64'));
  }

  /** What each checkpoint that the log does not bear out says that it lacks. */
  *contradictions(): Generator<{ readonly chain: string; readonly detail: string }> {
    for (const { chain, size, root } of this.#checkpoints) {
      const followed = this.#chains.get(chain);
      const found = followed === undefined ? 0 : followed.tree.size;
      const what = `a checkpoint was signed for the first ${size} records of chain ${chain}`;
      if (found < size) {
        const detail = `is where the log ends, and ${what}: ${found} of them are here, from its first one on`;
        yield { chain, detail };
      } else if (followed?.roots.get(size) !== root) {
        const detail = `ends a log of which ${what}, and these are not they: it was sealed anew`;
        yield { chain, detail };
      }
    }
  }
}
