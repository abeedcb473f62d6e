/** Which edits wait for a second administrator: configuration says it, not the table that administrators edit. */

import type { PiecesOfWork } from '../../kit/timing/in-turns.ts';
import { roleArnPattern } from '../aws-names.ts';
import { isFreezeId } from './freeze.ts';
import { isNarrowing } from './narrowing.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';
import type { RoleMapping } from './role-mapping.ts';
import { matchesRoleName } from './role-name-pattern.ts';

/** `widens`: edits that are not proven to narrow access; `always`: also those, unless they only take away. */
export const approvalTimes = ['never', 'widens', 'always'] as const;

export interface ApprovalRule {
  readonly when: (typeof approvalTimes)[number];
  /** Names of the roles that it is about; `*` at either end stands for anything. Empty: all. */
  readonly roles: readonly string[];
  /** Groups of the administrators' pool. Empty: every administrator who is a person. */
  readonly approvers: readonly string[];
  /** Groups whose members may go without in an emergency, which raises an alarm. */
  readonly breakGlass: readonly string[];
  /** Claim that is the same in all accounts of one person; undefined: people have one account. */
  readonly personClaim?: string | undefined;
}

export const noApproval: ApprovalRule = { when: 'never', roles: [], approvers: [], breakGlass: [] };

export interface JudgedStep {
  readonly before: RoleMapping | undefined | 'unreadable';
  readonly after: RoleMapping | undefined;
}

/** `snapshot`: the policy around it; undefined where there is none to look at. */
export function* needsApproval(
  step: JudgedStep,
  rule: ApprovalRule,
  snapshot: PolicySnapshot | undefined,
): PiecesOfWork<boolean> {
  const { before, after } = step;
  if (rule.when === 'never' || !isAbout(step, rule)) return false;
  // Nothing but a freeze has such an id, and nobody waits who freezes.
  if (after !== undefined && isFreezeId(after.id)) return false;
  if (rule.when === 'always' && after !== undefined) return true;
  if (before === 'unreadable') return true;
  return !(yield* isNarrowing({ before, after }, snapshot && inForce(snapshot)));
}

/** By principal: a row that cannot be read may have two mappings in its place. */
function* inForce({ byPrincipal }: PolicySnapshot) {
  for (const mappings of byPrincipal.values()) yield* mappings;
}

function isAbout({ before, after }: JudgedStep, { roles }: ApprovalRule): boolean {
  if (roles.length === 0 || before === 'unreadable') return true;
  return [before, after].some((mapping) => {
    if (mapping === undefined) return false;
    const name = roleArnPattern.exec(mapping.role)?.[4];
    return name === undefined || roles.some((pattern) => matchesRoleName(pattern, name));
  });
}
