/** A change that one way of printing shows, brought into a text that is printed in another way. */

/**
 * @param text as somebody wrote it
 * @param before the same, as a program prints it: line by line the same things, or the result is `after`
 * @param after the change, as that program prints it
 */
export function mergedLines(text: string, before: string, after: string): string {
  const [own = [], old = [], fresh = []] = [text, before, after].map((one) => one.split('\n'));
  if (own.length !== old.length) return after;
  const kept = keptLines(old, fresh).map((at) => (at === undefined ? undefined : own[at]));
  return fresh.map((line, at) => kept[at] ?? indentedAlike(line, at, { fresh, kept })).join('\n');
}

interface Merging {
  readonly fresh: readonly string[];
  /** For each line of `fresh` that was there before, the line as somebody wrote it. */
  readonly kept: readonly (string | undefined)[];
}

/** A new line stands where the nearest line stands that the program indents as far. */
function indentedAlike(line: string, at: number, { fresh, kept }: Merging): string {
  const wanted = indentOf(line);
  for (let away = 1; away < fresh.length; away += 1) {
    for (const near of [at + away, at - away]) {
      const own = kept[near];
      if (own !== undefined && own !== '' && indentOf(fresh[near] ?? '') === wanted) {
        return own.slice(0, indentOf(own)) + line.slice(wanted);
      }
    }
  }
  return line;
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

/** For each line of `fresh`, which one of `old` it is: those before the change and behind it, and between them the next alike. */
function keptLines(
  old: readonly string[],
  fresh: readonly string[],
): readonly (number | undefined)[] {
  const shorter = Math.min(old.length, fresh.length);
  const start = runOf(shorter, (at) => old[at] === fresh[at]);
  const end = runOf(shorter - start, (at) => old.at(-1 - at) === fresh.at(-1 - at));
  let next = start;
  return fresh.map((line, at) => {
    if (at < start) return at;
    if (at >= fresh.length - end) return at - fresh.length + old.length;
    const found = old.indexOf(line, next);
    if (found === -1 || found >= old.length - end) return undefined;
    next = found + 1;
    return found;
  });
}

function runOf(limit: number, isAlike: (at: number) => boolean): number {
  let at = 0;
  while (at < limit && isAlike(at)) at += 1;
  return at;
}
