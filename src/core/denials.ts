import { boundedMap } from '../kit/calls/bounded-map.ts';
import { type AccessHelp, denialDetail } from './access-help.ts';
import { BrokerError } from './errors.ts';
import type { DenyReason } from './policy/deny-reasons.ts';

/** Roles for which an answer is remembered, for each reason: callers can name any. */
const maxRoles = 1_000;

/**
 * What denials are answered with: one frozen error for all that are alike. It follows from the words of the request, from
 * configuration and from the reason alone, so it says the same to everybody; whether it is due is decided on each request.
 */
export function rememberedDenials(help: AccessHelp) {
  const byReason = new Map<DenyReason, ReturnType<typeof boundedMap<BrokerError>>>();
  return (role: string | undefined, reason: DenyReason): BrokerError => {
    let byRole = byReason.get(reason);
    if (byRole === undefined) {
      byRole = boundedMap<BrokerError>(maxRoles);
      byReason.set(reason, byRole);
    }
    // No role has no name.
    const name = role ?? '';
    let denial = byRole.get(name);
    if (denial === undefined) {
      const detail = denialDetail(help, role);
      denial = Object.freeze(new BrokerError('access_denied', { detail, reason }));
      byRole.set(name, denial);
    }
    return denial;
  };
}
