import { slipsBetween } from '../../kit/text/closest-name.ts';

/** The text of `known` that somebody who wrote `text` most likely meant; undefined if none is near. */
export function nearest(text: string, known: Iterable<string>): string | undefined {
  const wanted = text.toLowerCase();
  let best: string | undefined;
  // A third of it may be wrong.
  let most = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - wanted.length) >= most) continue;
    const distance = slipsBetween(wanted, candidate.toLowerCase());
    if (distance < most) [best, most] = [candidate, distance];
  }
  return best;
}
