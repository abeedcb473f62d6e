/** Where emergency denies take hold: in the policy that decides, and at every door that takes a token. */

import type { Caller } from './caller.ts';
import { BrokerError } from './errors.ts';
import { type EmergencyDenies, isDeniedToken, withDenies } from './policy/emergency-denies.ts';
import type { PolicySnapshot } from './policy/policy-snapshot.ts';
import type { LivePolicy, TokenValidator } from './ports.ts';

/** The policy, with the denies of the moment: one object until either changes. */
export function policyWithDenies(policy: LivePolicy, denies: () => EmergencyDenies): LivePolicy {
  let merged: { from: PolicySnapshot; with: EmergencyDenies; into: PolicySnapshot } | undefined;
  return {
    refresh: () => policy.refresh(),
    quarantined: () => policy.quarantined(),
    current() {
      const from = policy.current();
      const now = denies();
      if (merged?.from !== from || merged.with !== now) {
        merged = { from, with: now, into: withDenies(from, now) };
      }
      return merged.into;
    },
  };
}

/** Refuses a token that is denied, on whatever listener it is shown (T98). */
export function refusingDenied(
  validator: TokenValidator,
  denies: () => EmergencyDenies,
): TokenValidator {
  const checked = (caller: Caller): Caller => {
    if (!isDeniedToken(denies(), caller)) return caller;
    throw new BrokerError('token_revoked', {
      detail: 'Get a new token. If this one is not known to have been stolen, ask the operators.',
    });
  };
  return {
    requireStillAccepted(caller) {
      validator.requireStillAccepted(caller);
      checked(caller);
    },
    validate(token, source) {
      const caller = validator.validate(token, source);
      return caller instanceof Promise ? caller.then(checked) : checked(caller);
    },
  };
}
