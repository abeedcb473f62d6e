/** Which edits wait for a second administrator, and which are made without one in an emergency. */

import { atOnce, inTurns } from '../../kit/timing/in-turns.ts';
import type { Caller } from '../caller.ts';
import { BrokerError } from '../errors.ts';
import { type ApprovalRule, type JudgedStep, needsApproval } from '../policy/approval.ts';
import type { WritingRules } from '../policy/mapping-check.ts';
import type { PolicySnapshot } from '../policy/policy-snapshot.ts';
import type { LivePolicy } from '../ports.ts';
import { isHeldBy } from '../snapshot-in-force.ts';
import { policyOfTable } from './policy-of-table.ts';
import type { RoleMappingStore } from './ports.ts';
import { notOpen } from './proposal.ts';
import { isOfPolicy } from './proposal-base.ts';
import type { EditRequest, SoundEdit } from './sound-edit.ts';

/** `direct`: it needs nobody else, or has somebody else's approval. */
export type Way = 'direct' | 'break_glass' | 'proposal';

export interface WantedEdit {
  readonly request: EditRequest;
  readonly edit: SoundEdit;
  readonly caller: Caller | undefined;
}

export interface WayParts {
  readonly store: RoleMappingStore;
  /** Of this instance; a command has none. */
  readonly policy: LivePolicy | undefined;
  /** As they are at the moment. */
  readonly rules: () => WritingRules;
}

/** @throws BrokerError */
export async function wayOf(
  { request, edit, caller }: WantedEdit,
  { policy, rules, store }: WayParts,
): Promise<Way> {
  const rule = rules().guardrails.approval;
  const { after } = edit;
  if (request.approving !== undefined) {
    const snapshot = policy && (await policyOfTable(policy, store));
    const { proposal } = request.approving;
    if (!isOfPolicy(proposal, snapshot, policy?.quarantined() ?? [])) throw notOpen('stale');
    return 'direct';
  }
  if (request.propose) return 'proposal';
  // Whatever is there: a freeze above all.
  if (!atOnce(needsApproval({ before: 'unreadable', after }, rule, undefined))) return 'direct';
  if (!(await needsApprovalNow(edit, rule, { policy, store }))) return 'direct';
  if (!request.breakGlass) return 'proposal';
  requireBreakGlass(caller, rule);
  return 'break_glass';
}

/** Of a policy that changes while it is looked at in turns: after so many looks without a pause. */
const maxLooks = 3;

async function needsApprovalNow(
  edit: SoundEdit,
  rule: ApprovalRule,
  { policy, store }: Pick<WayParts, 'policy' | 'store'>,
): Promise<boolean> {
  const { after } = edit;
  for (let looks = 1; ; looks += 1) {
    const snapshot = policy && (await policyOfTable(policy, store));
    const judging = needsApproval({ before: changedBy(edit, snapshot), after }, rule, snapshot);
    if (looks === maxLooks) return atOnce(judging);
    const needed = await inTurns(judging);
    // What others wrote meanwhile may lie behind the edit (T230).
    if (needed || (await store.head()) === snapshot?.revision) return needed;
  }
}

/**
 * What an edit changes is what is in force, whatever somebody has written into its row around the change log: where that is another
 * one, or not known, nothing is proven by it (T327).
 */
function changedBy(
  { id, current }: SoundEdit,
  snapshot: PolicySnapshot | undefined,
): JudgedStep['before'] {
  if (snapshot === undefined) return 'unreadable';
  if (current === undefined) return snapshot.byId.has(id) ? 'unreadable' : undefined;
  return (isHeldBy(snapshot, current) && current.mapping) || 'unreadable';
}

/** @throws BrokerError `approval_required` */
export function requireBreakGlass(caller: Caller | undefined, { breakGlass }: ApprovalRule): void {
  if (caller?.groups.some((group) => breakGlass.includes(group)) === true) return;
  throw new BrokerError('approval_required', {
    detail:
      'Only members of the groups in guardrails.approval.breakGlass do without approval. Send the change without breakGlass: it becomes a proposal.',
  });
}
