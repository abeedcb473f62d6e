/**
 * How many cases a property is tried with: a fixed budget in `npm test`, many times that in `npm run fuzz`,
 * which sets FUZZ_FACTOR.
 */
const factor = Number(process.env['FUZZ_FACTOR'] ?? '1');

export const isLongForm = factor > 1;

export function runs(count: number): { readonly numRuns: number } {
  return { numRuns: count * factor };
}
