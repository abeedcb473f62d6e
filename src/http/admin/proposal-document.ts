/** A proposal as the admin listener prints it: exactly what would be written, and what that changes for whom. */

import { type AdminAccess, isAdministratorStill } from '../../core/admin-access.ts';
import { type Proposal, type ProposalState, proposalDigest } from '../../core/editing/proposal.ts';
import { parsedMapping } from '../../core/editing/proposal-base.ts';
import { gainsAndLosses } from '../../core/policy/gains-and-losses.ts';
import type { RecentDecisions } from '../../core/ports.ts';
import type { ExchangeRecord } from '../../core/records/exchange-record.ts';
import { documentChanges } from '../../kit/json/document-changes.ts';
import { toRfc3339 } from '../../kit/timing/clock.ts';

export interface ShownProposal {
  readonly proposal: Proposal;
  readonly state: ProposalState;
  /** As it is now. */
  readonly access: AdminAccess;
}

export function proposalDocument({ proposal, state, access }: ShownProposal) {
  const { id, mappingId, action, baseVersion, override, author, reason, closing } = proposal;
  const { before, after } = proposal;
  return {
    id,
    state,
    mappingId,
    action,
    baseVersion: baseVersion === 'absent' ? null : baseVersion,
    sha256: proposalDigest(proposal),
    before: before ?? null,
    mapping: after ?? null,
    changes: documentChanges(before, after),
    // As it was then: an allow that had ended gave nothing.
    affected: gainsAndLosses(parsedMapping(before), parsedMapping(after), proposal.createdAt),
    override,
    author: {
      name: author.name,
      machine: author.machine,
      // Null: as far as the configuration goes, and a group of theirs decides.
      administrator: isAdministratorStill(access, author) ?? null,
    },
    reason,
    createdAt: toRfc3339(proposal.createdAt),
    expiresAt: toRfc3339(proposal.expiresAt),
    closed:
      closing === undefined
        ? null
        : { by: closing.by, reason: closing.reason, at: toRfc3339(closing.at) },
  };
}

const maxRecentCallers = 20;

/** Who asked for the role of the mapping, as this instance remembers it: whom the change is likely to be about. */
export function recentCallers({ before, after }: Proposal, decisions: RecentDecisions) {
  const roles = new Set([before, after].flatMap((one) => parsedMapping(one)?.role ?? []));
  const found = new Map<string, ReturnType<typeof callerOf>>();
  for (const record of decisions.newestFirst()) {
    const role = record.session?.role ?? record.request?.role;
    if (role === undefined || !(roles.has(role) || roles.has('*'))) continue;
    const caller = callerOf(record);
    const key = JSON.stringify([caller.pool, caller.client, caller.subject]);
    if (!found.has(key)) found.set(key, caller);
    if (found.size === maxRecentCallers) break;
  }
  return [...found.values()];
}

function callerOf({ token, outcome, time }: ExchangeRecord) {
  const { pool = null, clientId: client = null, subject = null } = token ?? {};
  return { pool, client, subject, outcome, time };
}
