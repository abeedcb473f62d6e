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
