/**
 * Values of conditions: texts, booleans and numbers. IAM compares what is written, so a number must still be the
 * one that was written: whoever parses the policy refuses what would be written differently, such as 1.0.
 */

import { fillVariables } from './policy-variable.ts';

export function conditionValueFault(value: unknown): string | undefined {
  if (typeof value === 'string') return fillVariables(value).fault;
  if (typeof value === 'boolean') return undefined;
  // Numbers beyond all bounds, such as 1e999, are no JSON any more.
  if (!Number.isFinite(value)) return 'must be a value or a list of values';
  return isPlain(Number(value)) ? undefined : 'is no plain number: write it as text';
}

/** Beyond 2^53 it is no longer the number that somebody wrote, and below 1e-6 it would be written with an exponent. */
function isPlain(value: number): boolean {
  return (
    Math.abs(value) <= Number.MAX_SAFE_INTEGER &&
    !Object.is(value, -0) &&
    !String(value).includes('e')
  );
}
