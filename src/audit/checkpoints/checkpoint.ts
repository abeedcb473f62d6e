/**
 * What a checkpoint says (https://c2sp.org/tlog-checkpoint): so many records of a chain, and the root of the RFC 6962
 * Merkle tree over them. A leaf is the 32 bytes of a record's `hash`, in the order of the chain.
 *
 * Each chain is a log of its own, so the origin ends in its id: one that begins anew after damage, or in another
 * folder, contradicts nothing that was signed before.
 */

import type { MerkleTree } from './merkle-tree.ts';
import type { SignedNote } from './signed-note.ts';

export interface Checkpoint {
  readonly origin: string;
  readonly chain: string;
  /** Records of the chain, from its first one on. */
  readonly size: number;
  /** In base64. */
  readonly root: string;
}

export function originOf(name: string, chain: string): string {
  return `${name}/${chain}`;
}

export function checkpointText(origin: string, tree: MerkleTree): string {
  return `${origin}\n${tree.size}\n${tree.root().toString('base64')}\n`;
}

/** Undefined for a note that is no checkpoint of a chain. Lines beyond the third say nothing here. */
export function readCheckpoint({ text }: SignedNote): Checkpoint | undefined {
  const [, origin, chain, size, root] = form.exec(text) ?? [];
  if (origin === undefined || chain === undefined || root === undefined) return undefined;
  return { origin, chain, size: Number(size), root };
}

const form = /^([^\s+]+\/([0-9a-f]{32}))\n([1-9]\d{0,14})\n([A-Za-z0-9+/]{43}=)\n/;
