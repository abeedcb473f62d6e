/** What an editor asks for, and what must be so before it may be written: sound, allowed, and of the version that they have seen. */

import { isDeepStrictEqual } from 'node:util';
import { BrokerError } from '../errors.ts';
import { isFreezeId } from '../policy/freeze.ts';
import { isManagedByGit } from '../policy/managed-by-git.ts';
import { checkNewMapping, type WritingRules } from '../policy/mapping-check.ts';
import type { RoleMapping } from '../policy/role-mapping.ts';
import type { ChangeAction } from './change-facts.ts';
import type { AppliedProposal, MappingVersion } from './mapping-history.ts';
import type { RoleMappingStore } from './ports.ts';
import { notOpen } from './proposal.ts';
import { isOfPresent } from './proposal-base.ts';

export interface EditRequest {
  readonly id: string;
  readonly change:
    | { readonly kind: 'put'; readonly document: unknown }
    | { readonly kind: 'delete' }
    /** Deletes a freeze: it goes in no other way. */
    | { readonly kind: 'lift' };
  /** The version that the editor has seen; `absent` if there must be none. */
  readonly expectedVersion: number | 'absent';
  readonly reason: string;
  /** The editor knows that the mapping is managed from Git. */
  readonly override: boolean;
  /** Without a second administrator, if one is needed: for the few whom configuration names. */
  readonly breakGlass: boolean;
  /** A second administrator is to look, whether or not the configuration asks for one. */
  readonly propose: boolean;
  /** The edit is that of a proposal, which whoever asks approves. */
  readonly approving?: AppliedProposal | undefined;
}

/** Checked against everything but a race. */
export interface SoundEdit {
  readonly id: string;
  readonly action: ChangeAction;
  readonly current: MappingVersion | undefined;
  /** Undefined deletes. */
  readonly after: RoleMapping | undefined;
}

/** One that leaves a version as it is. */
export type UnchangedEdit = SoundEdit & { readonly current: MappingVersion };

export interface SoundnessParts {
  readonly store: RoleMappingStore;
  /** As they are at the moment. */
  readonly rules: () => WritingRules;
  /** Which side the edits come from: mappings of the other one need an override. */
  readonly side: 'api' | 'git';
}

/** @throws BrokerError */
export async function checkEdit(
  request: EditRequest,
  { store, rules, side }: SoundnessParts,
): Promise<SoundEdit> {
  const { id, change, expectedVersion, override } = request;
  if (change.kind === 'delete') requireNoFreeze(id);
  const after = change.kind === 'put' ? requireSound(id, change.document, rules()) : undefined;
  const current = await store.get(id);
  requireExpected(expectedVersion, current);
  const proposal = request.approving?.proposal;
  if (proposal !== undefined && !(await isOfPresent(proposal, current, store))) {
    throw notOpen('stale');
  }
  // A proposal is of the version whose side its author had to know.
  const isDecided = override || request.approving !== undefined;
  if (side === 'api' && !isDecided) requireManagedByApi(current, after);
  const created = current === undefined;
  const action = change.kind !== 'put' ? 'delete' : created ? 'create' : 'replace';
  return { id, action, current, after };
}

function requireSound(id: string, document: unknown, rules: WritingRules): RoleMapping {
  const check = checkNewMapping(document, rules);
  const faults = [...(check.kind === 'invalid' ? check.faults : [])];
  if (check.kind === 'valid' && check.mapping.id !== id) {
    faults.push({ pointer: '/id', detail: 'must equal the id in the path' });
  }
  if (check.kind === 'valid' && faults.length === 0) return check.mapping;
  throw new BrokerError('mapping_invalid', {
    detail: 'Correct the faults that "errors" lists and send the whole role mapping again.',
    faults,
  });
}

/** Whoever deletes a mapping among others must not free somebody by it (T95). */
function requireNoFreeze(id: string): void {
  if (!isFreezeId(id)) return;
  throw new BrokerError('mapping_is_freeze', {
    detail: 'This mapping is a freeze. If it is over, lift it with DELETE /v1/freezes/{id}.',
  });
}

function requireExpected(
  expected: EditRequest['expectedVersion'],
  current: MappingVersion | undefined,
): void {
  if (expected === 'absent') {
    if (current === undefined) return;
    throw new BrokerError('precondition_failed', {
      detail:
        'A role mapping with this id exists already. Read it and replace that version with If-Match.',
    });
  }
  if (current === undefined) {
    throw new BrokerError('mapping_not_found', {
      detail: 'There is no role mapping with this id. Create it with If-None-Match: *.',
    });
  }
  if (current.version !== expected) {
    throw new BrokerError('precondition_failed', {
      detail:
        'Somebody changed the role mapping. Read it again and repeat the change on that version.',
    });
  }
}

/** What the next apply from Git would undo, or prune, must not be made by mistake. */
function requireManagedByApi(
  current: MappingVersion | undefined,
  after: RoleMapping | undefined,
): void {
  if (!isManagedByGit(current?.document) && !isManagedByGit(after)) return;
  throw new BrokerError('mapping_managed_by_git', {
    detail:
      'Change the file in Git and apply it. To change the mapping by hand all the same, add ?override=true; the next apply from Git may undo it.',
  });
}

/** A version that says what the one before says would be noise in the history. An approval ends its proposal all the same. */
export function unchangedVersion(request: EditRequest, edit: SoundEdit): UnchangedEdit | undefined {
  const { current, after } = edit;
  if (request.approving !== undefined || current === undefined || after === undefined) {
    return undefined;
  }
  return isDeepStrictEqual(current.mapping, after) ? { ...edit, current } : undefined;
}
