/** `GET /v1/proposals` and `/v1/proposals/{id}`: what waits for a second administrator, and what became of it. */

import { z } from 'zod';
import type { AdminAccess } from '../../core/admin-access.ts';
import { existing } from '../../core/editing/decide-proposal.ts';
import { policyOfTable } from '../../core/editing/policy-of-table.ts';
import type { ProposalStore, RoleMappingStore } from '../../core/editing/ports.ts';
import { type Proposal, type ProposalState, stateOf } from '../../core/editing/proposal.ts';
import { isOfPolicy, isOfPresent } from '../../core/editing/proposal-base.ts';
import type { LivePolicy, RecentDecisions } from '../../core/ports.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { RouteHandler } from '../arrival.ts';
import { readQuery, requireNoQuery } from '../query.ts';
import type { AdminLook } from './look.ts';
import { cursorParameter, decodeCursor, encodeCursor, limitParameter, nextLink } from './paging.ts';
import { proposalDocument, recentCallers } from './proposal-document.ts';

export interface ReadProposalsOptions {
  readonly proposals: ProposalStore;
  readonly store: RoleMappingStore;
  readonly policy: LivePolicy;
  readonly decisions: RecentDecisions;
  readonly look: AdminLook;
  readonly access: () => AdminAccess;
  readonly clock: Clock;
}

const listQuery = z.strictObject({ limit: limitParameter, cursor: cursorParameter });
const idPattern = /^[0-9a-f]{12}-[0-9a-f]{16}$/;

/** Newest first. */
export function listProposals(options: ReadProposalsOptions): RouteHandler {
  const { proposals, look, access } = options;
  return look(async ({ req }, context) => {
    const { limit, cursor } = readQuery(req, listQuery);
    const before = decodeCursor(cursor, idPattern);
    const found = await proposals.list({ before, limit: limit + 1 });
    const stateNow = statesNow(options);
    const items: ReturnType<typeof proposalDocument>[] = [];
    // One after the other: only those that wait are looked up, and nobody is in a hurry.
    for (const proposal of found.slice(0, limit)) {
      const state = await stateNow(proposal);
      items.push(proposalDocument({ proposal, state, access: access() }));
    }
    const last = items.at(-1);
    const nextCursor =
      found.length > limit && last !== undefined ? encodeCursor(last.id) : undefined;
    const headers = nextLink(context.route, { limit }, nextCursor);
    return { document: { items, nextCursor }, headers };
  });
}

export function readProposal(options: ReadProposalsOptions): RouteHandler {
  const { proposals, decisions, look, access } = options;
  return look(async ({ req }) => {
    requireNoQuery(req);
    const proposal = await existing(proposals, String(req.params['id']));
    const state = await statesNow(options)(proposal);
    const document = {
      ...proposalDocument({ proposal, state, access: access() }),
      recentCallers: recentCallers(proposal, decisions),
    };
    return { document };
  });
}

/**
 * One that waits is stale as soon as its mapping has changed, whether or not somebody has tried it. The policy is looked at once for
 * all proposals that are shown together.
 */
function statesNow({
  store,
  policy,
  clock,
}: Pick<ReadProposalsOptions, 'store' | 'policy' | 'clock'>) {
  let inForce: ReturnType<typeof policyOfTable> | undefined;
  return async (proposal: Proposal): Promise<ProposalState> => {
    const state = stateOf(proposal, clock.now());
    if (state !== 'open') return state;
    const current = await store.get(proposal.mappingId);
    if (!(await isOfPresent(proposal, current, store))) return 'stale';
    inForce ??= policyOfTable(policy, store);
    return isOfPolicy(proposal, await inForce, policy.quarantined()) ? 'open' : 'stale';
  };
}
