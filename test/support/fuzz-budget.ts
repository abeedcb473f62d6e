/**
 * How many cases a property is tried with: its whole budget in `npm run test:all`, many times that in
 * `npm run fuzz`, a small part in `npm test`. The first two say so by FUZZ_FACTOR.
 */
const factor = Number(process.env['FUZZ_FACTOR'] ?? '0.05');

/** Fewer cases than this would find nothing. */
const leastRuns = 25;

export const isLongForm = factor > 1;

export function runs(count: number): { readonly numRuns: number } {
  return { numRuns: Math.max(Math.ceil(count * factor), Math.min(count, leastRuns)) };
}

/** The same for what is done so many times without a generator: a thousand callers, a long text. */
export function portion(count: number): number {
  return runs(count).numRuns;
}

/** All of a list in `npm run test:all`; in `npm test` one in so many, from its beginning to its end. */
export function sampled<T>(list: readonly T[], oneIn: number): readonly T[] {
  return factor < 1 ? list.filter((_, at) => at % oneIn === 0) : list;
}

/**
 * How many cases at least must have been of the kind that a property is about, so that it does not hold of nothing. Asked
 * of whole budgets alone: of a small part it would be left to chance.
 */
export function seenMoreThan(count: number): number {
  return factor < 1 ? -1 : count;
}
