/** What becomes of an edit that needs a second administrator: the proposal of one whom a token has proven. */

import type { Clock } from '../kit/timing/clock.ts';
import type { Editor, SoundEdit } from './change-attempt.ts';
import { BrokerError } from './errors.ts';
import type { WritingRules } from './policy/mapping-check.ts';
import type { ProposalStore } from './ports.ts';
import {
  newProposalId,
  type Proposal,
  type ProposalAuthor,
  personOf,
  proposalDigest,
  proposalLifetimeMs,
  stateOf,
  timePart,
} from './proposal.ts';

export interface EditToPropose {
  readonly request: {
    readonly expectedVersion: number | 'absent';
    readonly reason: string;
    readonly override: boolean;
  };
  readonly edit: SoundEdit;
  readonly editor: Editor;
}

export interface ProposingParts {
  readonly proposals: ProposalStore;
  readonly rules: WritingRules;
  readonly clock: Clock;
}

/** Of those made while one may wait, whatever became of them: nobody floods those who approve, or the table. */
const maxProposals = { ofAuthor: 200, ofAll: 1000 };

/**
 * The same as before, if its author has proposed just that already and it waits still.
 *
 * @throws BrokerError `token_missing`, `token_claims_invalid`, `proposals_too_many` or `table_unavailable`
 */
export async function plannedProposal(
  { request, edit, editor }: EditToPropose,
  { proposals, rules, clock }: ProposingParts,
): Promise<Proposal> {
  const author = authorOf(editor, rules);
  const now = clock.now();
  const { id: mappingId, action, current, after } = edit;
  const { expectedVersion: baseVersion, reason, override } = request;
  const planned: Proposal = {
    id: newProposalId(now),
    ...{ mappingId, baseVersion, after, action, override, author, reason },
    before: current?.document,
    createdAt: now,
    expiresAt: now + proposalLifetimeMs,
    closing: undefined,
  };
  const from = timePart(now - proposalLifetimeMs);
  const recent = await proposals.list({ from, limit: maxProposals.ofAll });
  const own = recent.filter((one) => isSameAuthor(one.author, author));
  const digest = proposalDigest(planned);
  const waiting = own.find((one) => stateOf(one, now) === 'open' && proposalDigest(one) === digest);
  if (waiting !== undefined) return waiting;
  if (own.length < maxProposals.ofAuthor && recent.length < maxProposals.ofAll) return planned;
  throw new BrokerError('proposals_too_many', {
    detail: `In 72 hours ${maxProposals.ofAuthor} proposals of one administrator are taken, and ${maxProposals.ofAll} in all. Wait until older ones have passed.`,
  });
}

function authorOf({ name, caller }: Editor, { guardrails }: WritingRules): ProposalAuthor {
  if (caller === undefined) {
    throw new BrokerError('token_missing', {
      detail:
        'This change needs a second administrator, and nothing proves who proposes it: give the token of an administrator.',
    });
  }
  const { issuer, subject, machine } = caller;
  return { name, issuer, subject, machine, person: personOf(caller, guardrails.approval) };
}

function isSameAuthor(one: ProposalAuthor, other: ProposalAuthor): boolean {
  return one.issuer === other.issuer && one.subject === other.subject;
}
