/**
 * Whether there is a text that both patterns match. `*` is any text, `?` one character, `#` a text without a slash of one
 * character at least.
 */
export function haveCommonText(one: string, other: string): boolean {
  // Of most pairs this says it all.
  if (one === other || one === '*' || other === '*') return true;
  const end = one.length * (other.length + 1) + other.length;
  const seen = new Set([0]);
  // What is added while it is gone through is gone through as well.
  for (const place of seen) {
    if (place === end) return true;
    for (const next of placesAfter(place, one, other)) seen.add(next);
  }
  return false;
}

/** A place is how far one is in both patterns, as one number. */
function placesAfter(place: number, one: string, other: string): readonly number[] {
  const width = other.length + 1;
  const [at, to] = [Math.floor(place / width), place % width];
  return steps(one[at], other[to])
    .filter(([by, along]) => at + by <= one.length && to + along <= other.length)
    .map(([by, along]) => (at + by) * width + to + along);
}

type Step = readonly [inOne: 0 | 1, inOther: 0 | 1];

const both: Step = [1, 1];
const here: Step = [1, 0];
const there: Step = [0, 1];

/** How far one can go on in both; undefined is the end of a pattern. */
function steps(one: string | undefined, other: string | undefined): readonly Step[] {
  if (one === '*' || other === '*') return [here, there];
  if (one === undefined || other === undefined) return [];
  if (one === '#') return other === '/' ? [] : [both, there];
  if (other === '#') return one === '/' ? [] : [both, here];
  return [one, other].includes('?') || one === other ? [both] : [];
}
