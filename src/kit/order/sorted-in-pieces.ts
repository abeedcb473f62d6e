/** As `Array.sort` does it, but in pieces: runs of some thousands are sorted, and merged two by two. */

import type { PiecesOfWork } from '../timing/in-turns.ts';

type Compare<Item> = (a: Item, b: Item) => number;

const perPiece = 1_000;

export function* sortedInPieces<Item extends string | object>(
  items: Iterable<Item>,
  compare: Compare<Item>,
): PiecesOfWork<readonly Item[]> {
  let sorted = yield* inRuns(items, compare);
  if (sorted.length <= perPiece) return sorted;
  let spare = [...sorted];
  for (let width = perPiece; width < sorted.length; width *= 2) {
    for (let start = 0; start < sorted.length; start += 2 * width) {
      yield* merge({ from: sorted, to: spare, start, width }, compare);
    }
    [sorted, spare] = [spare, sorted];
  }
  return sorted;
}

function* inRuns<Item>(items: Iterable<Item>, compare: Compare<Item>): PiecesOfWork<Item[]> {
  const runs: Item[] = [];
  let run: Item[] = [];
  for (const item of items) {
    run.push(item);
    if (run.length < perPiece) continue;
    runs.push(...run.sort(compare));
    run = [];
    yield;
  }
  runs.push(...run.sort(compare));
  return runs;
}

interface Merge<Item> {
  readonly from: readonly Item[];
  readonly to: Item[];
  /** Of the first of two runs, each as long as `width` or less. */
  readonly start: number;
  readonly width: number;
}

function* merge<Item>(
  { from, to, start, width }: Merge<Item>,
  compare: Compare<Item>,
): PiecesOfWork<void> {
  const middle = Math.min(start + width, from.length);
  const end = Math.min(middle + width, from.length);
  let left = start;
  let right = middle;
  for (let at = start; at < end; at += 1) {
    // Of equal ones the left stays first.
    const takesLeft =
      left < middle && (right === end || compare(from[left] as Item, from[right] as Item) <= 0);
    to[at] = from[takesLeft ? left++ : right++] as Item;
    if ((at + 1) % perPiece === 0) yield;
  }
}
