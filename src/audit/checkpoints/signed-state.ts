/** Up to where a log was signed for, kept beside it: noted before the signature is asked for, so that a crash forgets none. */

import path from 'node:path';
import { z } from 'zod';
import { removeDrafts, replaceFile } from '../../kit/files/replace-file.ts';
import { readStateFile } from '../../kit/files/state-file.ts';
import type { GrownTree } from './chain-tree.ts';
import type { CoveredHead } from './covered.ts';
import { hashBytes, MerkleTree } from './merkle-tree.ts';

const fileName = 'checkpoint-state.json';
const maxBytes = 16 * 1024;

const stateSchema = z.strictObject({
  chain: z.string().regex(/^[0-9a-f]{32}$/),
  seq: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().min(1),
  subtrees: z.array(z.base64().length(Math.ceil(hashBytes / 3) * 4)).max(53),
});

/** Of the process before. @throws FileRefusedError, or the error of the file system */
export async function readSignedState(
  directory: string,
): Promise<GrownTree | 'unreadable' | undefined> {
  const bytes = await readStateFile(path.join(directory, fileName), { maxBytes });
  return bytes === undefined ? undefined : parseState(bytes.toString());
}

export async function readCovered(directory: string): Promise<CoveredHead | undefined> {
  const state = await readSignedState(directory);
  return state === undefined || state === 'unreadable' ? state : state.head;
}

/** @throws the error of the file system */
export async function writeSignedState(
  directory: string,
  { tree, head }: GrownTree,
): Promise<void> {
  const subtrees = tree.subtrees.map((it) => it.toString('base64'));
  const file = path.join(directory, fileName);
  await replaceFile(file, `${JSON.stringify({ ...head, size: tree.size, subtrees })}\n`);
}

/** What a crash has left half-written. @throws the error of the file system */
export async function removeStateDrafts(directory: string): Promise<void> {
  await removeDrafts(path.join(directory, fileName));
}

function parseState(text: string): GrownTree | 'unreadable' {
  try {
    const { chain, seq, hash, size, subtrees } = stateSchema.parse(JSON.parse(text));
    const tree = new MerkleTree(
      size,
      subtrees.map((it) => Buffer.from(it, 'base64')),
    );
    return { tree, head: { chain, seq, hash } };
  } catch {
    return 'unreadable';
  }
}
