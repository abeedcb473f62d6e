import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MerkleTree } from '../../../src/audit/checkpoints/merkle-tree.ts';
import { runs } from '../../support/fuzz-budget.ts';

const sha256 = (...parts: readonly Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

/** RFC 6962, section 2.1, word for word. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  const [first] = leaves;
  if (first === undefined) return sha256();
  if (leaves.length === 1) return sha256(Buffer.from([0]), first);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Buffer.from([1]), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)));
}

function treeOf(leaves: readonly Buffer[]): MerkleTree {
  const tree = new MerkleTree();
  for (const leaf of leaves) tree.append(leaf);
  return tree;
}

describe('the tree of a checkpoint', () => {
  it.each([
    [0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [1, '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
    [8, '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
  ])('has the root that certificate transparency publishes for %d leaves', (size, root) => {
    const published = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const leaves = published.slice(0, size).map((hex) => Buffer.from(hex, 'hex'));
    expect(treeOf(leaves).root().toString('hex')).toBe(root);
  });

  it('is that of RFC 6962 for every list, and goes on from what was kept of it', () => {
    const leaf = fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.array(leaf, { maxLength: 70 }), fc.nat(70), (leaves, at) => {
        const before = treeOf(leaves.slice(0, at));
        const after = new MerkleTree(before.size, before.subtrees);
        for (const it of leaves.slice(at)) after.append(it);
        expect(after.root()).toEqual(treeHash(leaves));
        expect(after.subtrees.length).toBeLessThanOrEqual(7);
      }),
      runs(500),
    );
  });

  it('does not go on from what belongs to another size', () => {
    const { subtrees } = treeOf([Buffer.of(1), Buffer.of(2), Buffer.of(3)]);
    expect(() => new MerkleTree(4, subtrees)).toThrow(RangeError);
    expect(() => new MerkleTree(3, [Buffer.of(1), Buffer.of(2)])).toThrow(RangeError);
  });
});
