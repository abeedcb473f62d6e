/** Which of the names that there are somebody most likely meant. */

/** Slips of one or two letters; more than that is another name. */
const maxSlips = 2;
const maxLength = 64;

/** Undefined where none is close enough. */
export function closestName(written: string, names: readonly string[]): string | undefined {
  if (written.length > maxLength) return undefined;
  const [best] = names
    .map((name) => ({ name, slips: slipsBetween(written.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, slips }) => slips <= Math.min(maxSlips, name.length / 2))
    .sort((a, b) => a.slips - b.slips);
  return best?.name;
}

/** Levenshtein distance: letters left out, put in, or replaced. */
export function slipsBetween(a: string, b: string): number {
  const first = Array.from({ length: b.length + 1 }, (_, at) => at);
  const last = [...a].reduce((before, letter) => nextRow(before, letter, b), first);
  return last[b.length] ?? 0;
}

function nextRow(before: readonly number[], letter: string, b: string): number[] {
  const row = [(before[0] ?? 0) + 1];
  for (let at = 1; at <= b.length; at += 1) {
    const replaced = (before[at - 1] ?? 0) + (b[at - 1] === letter ? 0 : 1);
    row.push(Math.min(replaced, (before[at] ?? 0) + 1, (row[at - 1] ?? 0) + 1));
  }
  return row;
}
