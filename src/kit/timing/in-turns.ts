/**
 * Work on a million things without holding up whoever waits for the event loop: it is written once, as a generator that
 * yields where it may pause, and runs at once or in turns.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';

/** Yields after each small piece, of well under a millisecond. */
export type PiecesOfWork<Result> = Generator<undefined, Result, undefined>;

/** Takes one after the other, and may pause after each so many. */
export function* eachInPieces<Item>(
  items: Iterable<Item>,
  perPiece: number,
  take: (item: Item) => void,
): PiecesOfWork<void> {
  yield* everyInPieces(items, perPiece, (item) => {
    take(item);
    return true;
  });
}

/** As `Array.every`, which ends with the first for which it does not hold. */
export function* everyInPieces<Item>(
  items: Iterable<Item>,
  perPiece: number,
  holds: (item: Item) => boolean,
): PiecesOfWork<boolean> {
  let count = 0;
  for (const item of items) {
    if (!holds(item)) return false;
    count += 1;
    if (count % perPiece === 0) yield;
  }
  return true;
}

/** For few things, and for commands, which have nothing else to do. */
export function atOnce<Result>(work: PiecesOfWork<Result>): Result {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Between the pieces whatever else is due runs. */
export async function inTurns<Result>(work: PiecesOfWork<Result>): Promise<Result> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}
