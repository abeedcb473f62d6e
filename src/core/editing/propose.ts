/** What becomes of an edit that needs a second administrator: the proposal of one whom a token has proven. */

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../kit/timing/clock.ts';
import { standingOf } from '../admin-access.ts';
import { BrokerError } from '../errors.ts';
import type { WritingRules } from '../policy/mapping-check.ts';
import type { Editor, EditorIdentity } from './change-attempt.ts';
import type { ProposalStore, RecentProposals, RoleMappingStore } from './ports.ts';
import {
  newProposalId,
  type Proposal,
  type ProposalAuthor,
  personOf,
  proposalDigest,
  proposalLifetimeMs,
  stateOf,
} from './proposal.ts';
import { lastVersion } from './proposal-base.ts';
import type { SoundEdit } from './sound-edit.ts';

export interface EditToPropose {
  readonly request: {
    readonly expectedVersion: number | 'absent';
    readonly reason: string;
    readonly override: boolean;
  };
  readonly edit: SoundEdit;
  readonly editor: Editor;
}

/** Of those made while one may wait, whatever became of them: nobody floods those who approve, or the table. */
const maxProposals = { ofAuthor: 200, ofAll: 1000 };

export interface PlanningParts {
  readonly identity: EditorIdentity;
  readonly store: RoleMappingStore;
  readonly rules: () => WritingRules;
  readonly clock: Clock;
}

/** @throws BrokerError `token_missing`, `token_claims_invalid` or `table_unavailable` */
export async function plannedProposal(
  { request, edit, editor }: EditToPropose,
  { identity, store, rules, clock }: PlanningParts,
): Promise<Proposal> {
  const author = authorOf(editor, rules(), identity);
  const { id: mappingId, action, current, after } = edit;
  const deletedVersion = current === undefined ? await lastVersion(mappingId, store) : 0;
  const now = clock.now();
  const { expectedVersion: baseVersion, reason, override } = request;
  return {
    id: newProposalId(now),
    ...{ mappingId, baseVersion, deletedVersion, after, action, override, author, reason },
    before: current?.document,
    createdAt: now,
    expiresAt: now + proposalLifetimeMs,
    closing: undefined,
  };
}

export interface ProposingParts {
  readonly proposals: ProposalStore;
  readonly clock: Clock;
  /** Before anything is written: once, or again where another broker was faster and it is another proposal then. */
  readonly record: (proposal: Proposal) => Promise<void>;
}

/**
 * The same as before, if its author has proposed just that already and it waits still.
 *
 * @throws BrokerError `proposals_too_many`, `change_not_sealed` or `table_unavailable`
 */
export async function propose(
  planned: Proposal,
  { proposals, clock, record }: ProposingParts,
): Promise<Proposal> {
  let recorded: string | undefined;
  return await proposals.add(planned, countedAs(planned.author), async (recent) => {
    const waiting = await waitingLike(planned, recent, { proposals, clock });
    if (waiting === undefined) requireRoom(recent);
    const { id } = waiting ?? planned;
    if (id !== recorded) await record(waiting ?? planned);
    recorded = id;
    return waiting;
  });
}

/** The latest alone can wait: each was made when the one before it did not. */
async function waitingLike(
  planned: Proposal,
  { ofAuthor }: RecentProposals,
  { proposals, clock }: Pick<ProposingParts, 'proposals' | 'clock'>,
): Promise<Proposal | undefined> {
  const digest = proposalDigest(planned);
  const latest = ofAuthor.findLast(({ sha256 }) => sha256 === digest);
  const known = latest && (await proposals.get(latest.id));
  if (known === undefined || proposalDigest(known) !== digest) return undefined;
  // It is stale, although its digest says nothing of that.
  if (known.deletedVersion !== planned.deletedVersion) return undefined;
  // It may be by a group that makes nobody an administrator any more.
  if (!isDeepStrictEqual(known.author.standing?.groups, planned.author.standing?.groups)) {
    return undefined;
  }
  return stateOf(known, clock.now()) === 'open' ? known : undefined;
}

function requireRoom({ ofAuthor, ofAll }: RecentProposals): void {
  if (ofAuthor.length < maxProposals.ofAuthor && ofAll < maxProposals.ofAll) return;
  throw new BrokerError('proposals_too_many', {
    detail: `In 72 hours ${maxProposals.ofAuthor} proposals of one administrator are taken, and ${maxProposals.ofAll} in all. Wait until older ones have passed.`,
  });
}

function authorOf(
  { name, caller }: Editor,
  { guardrails }: WritingRules,
  identity: EditorIdentity,
): ProposalAuthor {
  if (caller === undefined || identity.kind === 'claimed') {
    throw new BrokerError('token_missing', {
      detail:
        'This change needs a second administrator, and nothing proves who proposes it: give the token of an administrator.',
    });
  }
  const { issuer, subject, machine } = caller;
  const { approval } = guardrails;
  const person = personOf(caller, approval);
  const personClaim = person === undefined ? undefined : approval.personClaim;
  const standing = standingOf(identity.access(), caller);
  return { name, issuer, subject, machine, person, personClaim, standing };
}

/** What their proposals are counted by: the person, where that is known, whatever the account. */
function countedAs({ issuer, subject, person }: ProposalAuthor): string {
  return JSON.stringify(person === undefined ? [issuer, subject] : [person]);
}
