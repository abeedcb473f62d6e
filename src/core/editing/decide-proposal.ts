/** What a second administrator, or the author, does with a proposal: approves, rejects or withdraws it. */

import type { Clock } from '../../kit/timing/clock.ts';
import { BrokerError } from '../errors.ts';
import type { ApprovalRule } from '../policy/approval.ts';
import { isFreezeId } from '../policy/freeze.ts';
import type { AuditLog } from '../ports.ts';
import type { RequestContext } from '../request-context.ts';
import {
  changeRecord,
  type EditOutcome,
  type Editor,
  type EditorIdentity,
  type Findings,
  identify,
  refusalFor,
  refusalOutcome,
  requireStillEditor,
  writeOutcome,
} from './change-attempt.ts';
import type { EditMapping, EditResult } from './mapping-edit.ts';
import type { ProposalStore } from './ports.ts';
import {
  isAuthor,
  isProposalId,
  notOpen,
  type Proposal,
  type ProposalClosing,
  type ProposalEvent,
  proposalDigest,
  requireOpen,
  requireSecondPerson,
  requireStandingAuthor,
} from './proposal.ts';
import type { EditRequest } from './sound-edit.ts';

export interface DecidingSteps {
  readonly token: () => string;
  readonly read: () => Promise<ProposalDecision>;
}

export interface ProposalDecision {
  readonly reason: string;
  /** Of an approval: what was read. */
  readonly sha256?: string;
}

export interface DecidingParts {
  readonly edit: EditMapping;
  readonly identity: EditorIdentity;
  readonly proposals: ProposalStore;
  /** As it is at the moment. */
  readonly rule: () => ApprovalRule;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** Told of proposals that came to their end here otherwise than by being applied. */
  readonly onProposal?: ((event: ProposalEvent) => void) | undefined;
}

/** @throws BrokerError */
export type ApproveProposal = (
  context: RequestContext,
  id: string,
  steps: DecidingSteps,
) => Promise<EditResult>;

/** By the use case of all edits, so with its checks and its record. */
export function proposalApprover(parts: DecidingParts): ApproveProposal {
  const { edit, identity, proposals, rule, clock } = parts;
  return async (context, id, { token, read }) => {
    let found: Proposal | undefined;
    const approve = async (editor: Editor): Promise<EditRequest> => {
      const decision = await read();
      const proposal = await existing(proposals, id);
      requireOpen(proposal, clock.now());
      requireSecond(proposal, editor, rule());
      if (identity.kind === 'token') requireStandingAuthor(proposal, identity.access());
      requireAsRead(proposal, decision);
      found = proposal;
      const closing = closingOf('applied', editor, decision, clock);
      return editOf(proposal, { closing, reason: decision.reason });
    };
    const known = isProposalId(id) ? id : undefined;
    const attempt = { action: '*', id: undefined, proposal: known, permission: 'write' } as const;
    const open = () => ({ token: token(), preview: undefined });
    try {
      return await edit(context, attempt, { open, read: approve });
    } catch (error) {
      if (found === undefined || !isMovedOn(error)) throw error;
      throw notOpen(await settle(found, parts));
    }
  };
}

function editOf(
  proposal: Proposal,
  { closing, reason }: { readonly closing: ProposalClosing; readonly reason: string },
): EditRequest {
  const { mappingId, baseVersion, after, override } = proposal;
  const removing = isFreezeId(mappingId) ? 'lift' : 'delete';
  return {
    id: mappingId,
    change: after === undefined ? { kind: removing } : { kind: 'put', document: after },
    expectedVersion: baseVersion,
    reason,
    override,
    breakGlass: false,
    propose: false,
    approving: { proposal, closing },
  };
}

function isMovedOn(error: unknown): boolean {
  return (
    error instanceof BrokerError &&
    ['precondition_failed', 'mapping_not_found', 'proposal_not_open'].includes(error.code)
  );
}

/** Another approval came first, its author withdrew it, or the mapping is not what it starts from any more. */
async function settle(proposal: Proposal, { proposals, clock, onProposal }: DecidingParts) {
  const now = await proposals.get(proposal.id);
  if (now?.closing !== undefined) return now.closing.state;
  const reason = 'The role mapping was changed meanwhile.';
  const closing = { state: 'stale', by: '', reason, at: clock.now() } as const;
  // It stays open otherwise, and is found stale by the next one who looks.
  await proposals.close(proposal, closing).then(
    () => onProposal?.('stale'),
    () => undefined,
  );
  return 'stale';
}

/** @throws BrokerError */
export type CloseProposal = (
  context: RequestContext,
  id: string,
  steps: DecidingSteps,
) => Promise<Proposal>;

/** `rejected` by a second administrator, `withdrawn` by the author. */
export function proposalCloser(
  { identity, proposals, rule, audit, clock, onProposal }: DecidingParts,
  state: 'rejected' | 'withdrawn',
): CloseProposal {
  return async (context, id, { token, read }) => {
    const known = isProposalId(id) ? id : undefined;
    const attempt = { action: '*', id: undefined, proposal: known, permission: 'write' } as const;
    const findings: Findings = { attempt, context };
    const record = (outcome: EditOutcome, error?: unknown) =>
      audit.record(changeRecord({ context, findings, outcome, error, now: clock.now() }));
    const check = async () => {
      findings.token = token();
      const editor = await identify(findings, { identity, clock });
      const decision = await read();
      const proposal = await existing(proposals, id);
      findings.proposal = proposal;
      const { mappingId, override } = proposal;
      findings.request = { id: mappingId, reason: decision.reason, override };
      requireOpen(proposal, clock.now());
      const requireDecider = () => {
        if (state === 'rejected') requireSecond(proposal, editor, rule());
        else requireAuthor(proposal, editor);
      };
      requireDecider();
      const closing = closingOf(state, editor, decision, clock);
      return { proposal, closing, requireDecider };
    };
    const { proposal, closing, requireDecider } = await check().catch(async (thrown: unknown) => {
      const error = refusalFor(thrown, findings, { identity, clock });
      await record(refusalOutcome(error), error);
      throw error;
    });
    findings.ending = state;
    await record(state);
    const close = async () => {
      // By the administrators of this moment: the record may have waited (T276).
      requireStillEditor(findings, { identity, clock });
      requireDecider();
      await proposals.close(proposal, closing);
    };
    await close().catch(async (error: unknown) => {
      await record(writeOutcome(error), error).catch(() => undefined);
      throw error;
    });
    onProposal?.(state);
    return { ...proposal, closing };
  };
}

/** @throws BrokerError `proposal_not_found` */
export async function existing(proposals: ProposalStore, id: string): Promise<Proposal> {
  const proposal = isProposalId(id) ? await proposals.get(id) : undefined;
  if (proposal !== undefined) return proposal;
  throw new BrokerError('proposal_not_found', {
    detail: 'Check the id; GET /v1/proposals lists those that there are.',
  });
}

function closingOf<State extends ProposalClosing['state']>(
  state: State,
  { name }: Editor,
  { reason }: ProposalDecision,
  clock: Clock,
) {
  return { state, by: name, reason, at: clock.now() } as const;
}

function requireSecond(proposal: Proposal, { caller }: Editor, rule: ApprovalRule): void {
  if (caller === undefined) throw new BrokerError('token_missing');
  requireSecondPerson(proposal, caller, rule);
}

function requireAuthor(proposal: Proposal, { caller }: Editor): void {
  if (caller !== undefined && isAuthor(proposal, caller)) return;
  throw new BrokerError('approver_refused', {
    detail: 'Only its author withdraws a proposal. Reject it, if you may approve it.',
  });
}

function requireAsRead(proposal: Proposal, { sha256 }: ProposalDecision): void {
  if (sha256 === proposalDigest(proposal)) return;
  throw new BrokerError('proposal_differs', {
    detail:
      'Read the proposal again, and approve it by the "sha256" that it has: it stands for exactly what would be written.',
  });
}
