/**
 * The use case of every edit of a role mapping: who may, is it sound, is it based on the current version, does it
 * need a second administrator; then audit, write, and bring this instance up to date. In that order: no change
 * without its record. What needs somebody else becomes a proposal, which comes through here again when it is approved.
 */

import { isJsonObject } from '../kit/json/json-object.ts';
import type { Clock } from '../kit/timing/clock.ts';
import type { AccessRecord, RequestContext } from './audit-record.ts';
import type { Caller } from './caller.ts';
import {
  changeRecord,
  type EditAttempt,
  type EditOutcome,
  type Editor,
  type EditorIdentity,
  type Findings,
  identify,
  lookRecord,
  type OpenedEdit,
  refusalOutcome,
  type SoundEdit,
  writeOutcome,
} from './change-attempt.ts';
import { BrokerError } from './errors.ts';
import { needsApproval } from './policy/approval.ts';
import { isFreezeId } from './policy/freeze.ts';
import { checkNewMapping, type WritingRules } from './policy/mapping-check.ts';
import type {
  AppliedProposal,
  MappingEdit,
  MappingVersion,
  MappingWritten,
} from './policy/mapping-history.ts';
import type { PolicySnapshot } from './policy/policy-snapshot.ts';
import type { RoleMapping } from './policy/role-mapping.ts';
import { snapshotInForce } from './policy/snapshot-in-force.ts';
import type { AuditLog, LivePolicy, ProposalStore, RoleMappingStore } from './ports.ts';
import type { Proposal } from './proposal.ts';
import { plannedProposal } from './propose.ts';

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
  /** The edit is that of a proposal, which whoever asks approves. */
  readonly approving?: AppliedProposal | undefined;
}

/** Takes the request off the wire; what a step throws is refused and recorded like everything else. */
export interface EditSteps {
  open(): OpenedEdit;
  /** Called once the caller is known to be an administrator who may do this. */
  read(editor: Editor): EditRequest | Promise<EditRequest>;
}

export type EditResult =
  | { readonly kind: 'previewed'; readonly edit: SoundEdit; readonly needsApproval: boolean }
  /** It waits for a second administrator. */
  | { readonly kind: 'proposed'; readonly edit: SoundEdit; readonly proposal: Proposal }
  | {
      readonly kind: 'written';
      readonly edit: SoundEdit;
      readonly written: MappingWritten;
      /** Whether this instance decides by it already; the others follow within seconds. */
      readonly inForce: boolean;
    };

/** @throws BrokerError */
export type EditMapping = (
  context: RequestContext,
  attempt: EditAttempt,
  steps: EditSteps,
) => Promise<EditResult>;

export interface MappingEditorParts {
  readonly identity: EditorIdentity;
  /** Which side the edits come from: mappings of the other one need an override. */
  readonly side: 'api' | 'git';
  readonly store: RoleMappingStore;
  readonly proposals: ProposalStore;
  /** Of this instance; a command has none. */
  readonly policy: LivePolicy | undefined;
  readonly audit: AuditLog;
  readonly rules: WritingRules;
  readonly clock: Clock;
  /** Told when somebody does without a second administrator. */
  readonly onBreakGlass?: ((edit: BrokenGlass) => void) | undefined;
}

export interface BrokenGlass {
  readonly requestId: string;
  readonly actor: string;
  readonly mappingId: string;
}

export function mappingEditor(parts: MappingEditorParts): EditMapping {
  const { store, proposals, policy, audit, clock } = parts;

  return async function editMapping(context, attempt, steps) {
    const findings: Findings = { attempt, context };
    const record = (outcome: EditOutcome, error?: unknown) =>
      audit.record(changeRecord({ context, findings, outcome, error, now: clock.now() }));
    const recordLook = (outcome: AccessRecord['outcome'], error?: unknown) =>
      audit.record(lookRecord({ context, findings, outcome, error, now: clock.now() }));

    let checked: Checked;
    try {
      checked = await check(steps, findings, parts);
    } catch (error) {
      const recordRefusal = findings.preview === undefined ? record : recordLook;
      await recordRefusal(refusalOutcome(error), error);
      throw error;
    }
    const { editor, edit, way } = checked;
    if (findings.preview !== undefined) {
      // It changes nothing, but shows what is there (T105).
      await recordLook('permitted');
      return { kind: 'previewed', edit, needsApproval: way === 'proposal' };
    }
    /** Audit before the effect: a change that cannot be accounted for must not be made. */
    const recorded = async <Result>(outcome: EditOutcome, effect: () => Promise<Result>) => {
      await record(outcome);
      return await effect().catch(async (error: unknown) => {
        // Without this record the log claims one change too many, never one too few: the editor hears the cause.
        await record(writeOutcome(error), error).catch(() => undefined);
        throw error;
      });
    };
    if (findings.proposal !== undefined && way === 'proposal') {
      const { proposal } = findings;
      await recorded('proposed', () => proposals.add(proposal));
      return { kind: 'proposed', edit, proposal };
    }
    const { id: mappingId } = edit;
    if (way === 'break_glass') {
      parts.onBreakGlass?.({ requestId: context.requestId, actor: editor.name, mappingId });
    }
    const written = await recorded('authorized', () => store.write(toWrite(checked)));
    await policy?.refresh();
    return { kind: 'written', edit, written, inForce: isInForce(policy, written.revision) };
  };
}

/** `direct`: it needs nobody else, or has somebody else's approval. */
type Way = 'direct' | 'break_glass' | 'proposal';

interface Checked {
  readonly editor: Editor;
  readonly request: EditRequest;
  readonly edit: SoundEdit;
  readonly way: Way;
}

async function check(
  { open, read }: EditSteps,
  findings: Findings,
  parts: MappingEditorParts,
): Promise<Checked> {
  const { token, preview } = open();
  findings.token = token;
  findings.preview = preview;
  const editor = await identify(findings, parts);
  const request = await read(editor);
  findings.request = request;
  findings.proposal = request.approving?.proposal;
  const edit = await checkEdit(request, parts);
  findings.edit = edit;
  const way = await wayOf({ request, edit, caller: editor.caller }, parts);
  findings.breakGlass = way === 'break_glass';
  if (way === 'proposal' && preview === undefined) {
    findings.proposal = await plannedProposal({ request, edit, editor }, parts);
  }
  return { editor, request, edit, way };
}

interface Wanted {
  readonly request: EditRequest;
  readonly edit: SoundEdit;
  readonly caller: Caller | undefined;
}

async function wayOf(
  { request, edit, caller }: Wanted,
  { policy, rules, store }: Pick<MappingEditorParts, 'policy' | 'rules' | 'store'>,
): Promise<Way> {
  const rule = rules.guardrails.approval;
  const { current, after } = edit;
  const before = current === undefined ? undefined : (current.mapping ?? 'unreadable');
  const step = { before, after } as const;
  // Most edits need no look around, a freeze above all.
  if (request.approving !== undefined || !needsApproval(step, rule, undefined)) return 'direct';
  const snapshot = policy && (await policyOfTable(policy, store));
  if (!needsApproval(step, rule, snapshot)) return 'direct';
  if (!request.breakGlass) return 'proposal';
  if (caller?.groups.some((group) => rule.breakGlass.includes(group)) === true) {
    return 'break_glass';
  }
  throw new BrokerError('approval_required', {
    detail:
      'Only members of the groups in guardrails.approval.breakGlass do without approval. Send the change without breakGlass: it becomes a proposal.',
  });
}

/**
 * What others have just written may lie behind an edit. A policy that could not follow the table still serves, but says
 * nothing of that: undefined (T230).
 */
async function policyOfTable(
  policy: LivePolicy,
  store: RoleMappingStore,
): Promise<PolicySnapshot | undefined> {
  const before = await store.head();
  await policy.refresh();
  const snapshot = snapshotInForce(policy);
  if (snapshot === undefined || snapshot.revision < before) return undefined;
  // Ahead of a table that was put back to an earlier state.
  return snapshot.revision <= (await store.head()) ? snapshot : undefined;
}

function toWrite({ editor, request, edit }: Checked): MappingEdit {
  const { expectedVersion, reason, approving } = request;
  const proposal = approving?.proposal;
  return {
    id: edit.id,
    expectedVersion,
    mapping: edit.after,
    actor: proposal?.author.name ?? editor.name,
    actorProven: proposal === undefined ? editor.proven : true,
    reason: proposal?.reason ?? reason,
    applying: approving,
  };
}

async function checkEdit(
  request: EditRequest,
  { store, rules, side }: Pick<MappingEditorParts, 'store' | 'rules' | 'side'>,
): Promise<SoundEdit> {
  const { id, change, expectedVersion, override } = request;
  if (change.kind === 'delete') requireNoFreeze(id);
  const after = change.kind === 'put' ? requireSound(id, change.document, rules) : undefined;
  const current = await store.get(id);
  requireExpected(expectedVersion, current);
  if (side === 'api' && !override) requireManagedByApi(current, after);
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

/** Also for documents that do not pass the checks of today. */
function isManagedByGit(document: unknown): boolean {
  return isJsonObject(document) && document['managedBy'] === 'git';
}

function isInForce(policy: LivePolicy | undefined, revision: number): boolean {
  const snapshot = policy && snapshotInForce(policy);
  return snapshot !== undefined && snapshot.revision >= revision;
}
