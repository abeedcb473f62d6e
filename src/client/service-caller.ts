/**
 * A caller as services get to see one. They ask for a claim by its name, and many only whether it is there: so what proves
 * nothing, such as an address that nobody verified, is not there (T107).
 */

import type { Caller } from '../core/caller.ts';
import { type ClaimValue, type ComparableClaim, isComparable } from '../core/claim-value.ts';
import { remember } from '../core/remember.ts';

export interface ServiceCaller extends Omit<Caller, 'claims'> {
  /**
   * `sub` and `client_id`, and those of `matchableClaims` that the token has, as far as they can be compared and
   * prove something.
   */
  readonly claims: ReadonlyMap<string, ComparableClaim>;
  /** Names of the others that it has: a rule that denies by one of them matches. */
  readonly incomparableClaims: ReadonlySet<string>;
}

export const serviceCaller = remember((caller: Caller): ServiceCaller => {
  const claims = new Map<string, ComparableClaim>();
  const incomparableClaims = new Set<string>();
  for (const [name, value] of caller.claims) {
    if (isComparable(value)) claims.set(name, value);
    else incomparableClaims.add(name);
  }
  return { ...caller, claims, incomparableClaims };
});

/** As conditions judge it, which must not lose sight of what cannot be compared (T60). */
export const judgedCaller = remember(
  ({ incomparableClaims, ...caller }: ServiceCaller): Caller => ({
    ...caller,
    claims: new Map<string, ClaimValue>([
      ...caller.claims,
      ...[...incomparableClaims].map((name) => [name, { incomparable: null }] as const),
    ]),
  }),
);
