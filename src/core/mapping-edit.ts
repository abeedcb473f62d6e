/**
 * The use case of every edit of a role mapping: who may, is it sound, is it based on the current version; then
 * audit, write, and bring this instance up to date. In that order: no change without its record.
 */

import { isJsonObject } from '../kit/json/json-object.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { type AdminAccess, type AdminPermission, requireAdmin } from './admin-access.ts';
import {
  type AccessRecord,
  type AuditedToken,
  auditedToken,
  type MappingChangeRecord,
  type RequestContext,
  recordedRequest,
} from './audit-record.ts';
import type { Caller } from './caller.ts';
import { BrokerError } from './errors.ts';
import { isFreezeId } from './policy/freeze.ts';
import { checkNewMapping, type WritingRules } from './policy/mapping-check.ts';
import type { ChangeAction, MappingVersion, MappingWritten } from './policy/mapping-history.ts';
import type { RoleMapping } from './policy/role-mapping.ts';
import { snapshotInForce } from './policy/snapshot-in-force.ts';
import type { AuditLog, LivePolicy, RoleMappingStore, TokenValidator } from './ports.ts';
import { tokenDigest } from './token-digest.ts';

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
}

/** What is known before anything of the request is: a refusal is recorded with it. */
export interface EditAttempt {
  readonly action: ChangeAction;
  readonly id: string | undefined;
  /** What the editor must be permitted, unless it is a preview. */
  readonly permission: Exclude<AdminPermission, 'read'>;
}

/** Takes the request off the wire; what a step throws is refused and recorded like everything else. */
export interface EditSteps {
  open(): OpenedEdit;
  /** Called once the caller is known to be an administrator who may do this. */
  read(): EditRequest | Promise<EditRequest>;
}

export interface OpenedEdit {
  readonly token: string | undefined;
  /** Path and query of a preview, which changes nothing; undefined: an edit is meant. */
  readonly preview: string | undefined;
}

/** Checked against everything but a race. */
export interface SoundEdit {
  readonly id: string;
  readonly action: ChangeAction;
  readonly current: MappingVersion | undefined;
  /** Undefined deletes. */
  readonly after: RoleMapping | undefined;
}

export type EditResult =
  | { readonly kind: 'previewed'; readonly edit: SoundEdit }
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

/**
 * How an editor is known. `token`: proven, to the one check of administrators. `claimed`: what a command says
 * that IAM lets write to the table; whatever such an edit leaves behind says that nothing proved it (T59).
 */
export type EditorIdentity =
  | { readonly kind: 'token'; readonly validator: TokenValidator; readonly access: AdminAccess }
  | { readonly kind: 'claimed'; readonly name: string };

export interface MappingEditorParts {
  readonly identity: EditorIdentity;
  /** Which side the edits come from: mappings of the other one need an override. */
  readonly side: 'api' | 'git';
  readonly store: RoleMappingStore;
  /** Of this instance; a command has none. */
  readonly policy: LivePolicy | undefined;
  readonly audit: AuditLog;
  readonly rules: WritingRules;
  readonly clock: Clock;
}

export function mappingEditor(parts: MappingEditorParts): EditMapping {
  const { store, policy, audit, clock } = parts;

  return async function editMapping(context, attempt, steps) {
    const findings: Findings = { attempt, context };
    const record = (outcome: EditOutcome, error?: unknown) =>
      audit.record(changeRecord({ context, findings, outcome, error, now: clock.now() }));
    const recordLook = (outcome: AccessRecord['outcome'], error?: unknown) =>
      audit.record(lookRecord({ context, findings, outcome, error, now: clock.now() }));

    let approved: Approved;
    try {
      approved = await approve(steps, findings, parts);
    } catch (error) {
      const recordRefusal = findings.preview === undefined ? record : recordLook;
      await recordRefusal(refusalOutcome(error), error);
      throw error;
    }
    const { editor, request, edit } = approved;
    if (findings.preview !== undefined) {
      // It changes nothing, but shows what is there (T105).
      await recordLook('permitted');
      return { kind: 'previewed', edit };
    }

    // Audit before the effect: a change that cannot be accounted for must not be made.
    await record('authorized');
    const write = store.write({
      id: edit.id,
      expectedVersion: request.expectedVersion,
      mapping: edit.after,
      actor: editor.name,
      actorProven: editor.proven,
      reason: request.reason,
    });
    const written = await write.catch(async (error: unknown) => {
      // Without this record the log claims one change too many, never one too few: the editor hears the cause.
      await record(writeOutcome(error), error).catch(() => undefined);
      throw error;
    });
    await policy?.refresh();
    return { kind: 'written', edit, written, inForce: isInForce(policy, written.revision) };
  };
}

interface Editor {
  /** As the history of the table names them. */
  readonly name: string;
  /** Whether a verified token says so. */
  readonly proven: boolean;
}

interface Approved {
  readonly editor: Editor;
  readonly request: EditRequest;
  readonly edit: SoundEdit;
}

async function approve(
  { open, read }: EditSteps,
  findings: Findings,
  parts: MappingEditorParts,
): Promise<Approved> {
  const { token, preview } = open();
  findings.token = token;
  findings.preview = preview;
  const editor = await identify(findings, parts);
  const request = await read();
  findings.request = request;
  const edit = await checkEdit(request, parts);
  findings.edit = edit;
  return { editor, request, edit };
}

async function identify(
  findings: Findings,
  { identity, clock }: Pick<MappingEditorParts, 'identity' | 'clock'>,
): Promise<Editor> {
  if (identity.kind === 'claimed') {
    findings.editor = { name: identity.name, proven: false };
    return findings.editor;
  }
  const { attempt, context, preview, token } = findings;
  if (token === undefined) throw new BrokerError('token_missing');
  const caller = await identity.validator.validate(token, context.sourceIp);
  findings.caller = caller;
  context.client = caller.clientId;
  findings.editor = { name: actorOf(caller), proven: true };
  // A preview tells nothing that a reader could not work out.
  const permission = preview === undefined ? attempt.permission : 'read';
  requireAdmin(identity.access, caller, permission, clock.now());
  return findings.editor;
}

type EditOutcome = MappingChangeRecord['outcome'];

/** Filled in step by step, so that a refusal records how far the attempt came. */
interface Findings {
  readonly attempt: EditAttempt;
  readonly context: RequestContext;
  preview?: OpenedEdit['preview'];
  token?: string | undefined;
  caller?: Caller;
  editor?: Editor;
  request?: EditRequest;
  edit?: SoundEdit;
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

/** How the history of the table names an editor. */
function actorOf({ pool, clientId, subject, machine }: Caller): string {
  const client = `${pool}/${clientId ?? ''}`;
  return machine ? client : `${client}/${subject}`;
}

function isInForce(policy: LivePolicy | undefined, revision: number): boolean {
  const snapshot = policy && snapshotInForce(policy);
  return snapshot !== undefined && snapshot.revision >= revision;
}

function refusalOutcome(error: unknown): 'refused' | 'failed' {
  return error instanceof BrokerError && error.status < 500 ? 'refused' : 'failed';
}

function writeOutcome(error: unknown): EditOutcome {
  const known = error instanceof BrokerError && error.reason !== 'outcome_unknown';
  return known ? refusalOutcome(error) : 'unknown';
}

interface RecordFacts<Outcome> {
  readonly context: RequestContext;
  readonly findings: Findings;
  readonly outcome: Outcome;
  readonly error: unknown;
  readonly now: number;
}

function changeRecord({
  context,
  findings,
  outcome,
  error,
  now,
}: RecordFacts<EditOutcome>): MappingChangeRecord {
  const { attempt, editor, request, edit } = findings;
  return {
    type: 'mapping_change',
    time: new Date(now).toISOString(),
    ...recordedRequest(context),
    outcome,
    code: outcome === 'authorized' ? undefined : codeOf(error),
    token: editorToken(findings),
    actor: editor?.name,
    actorProven: editor?.proven ?? false,
    action: edit?.action ?? attempt.action,
    mappingId: request?.id ?? attempt.id,
    baseVersion: edit?.current?.version,
    reason: request?.reason,
    override: request?.override === true ? true : undefined,
    before: edit?.current?.mapping ?? null,
    after: edit?.after ?? null,
  };
}

/** As every other look at what the admin listener shows. */
function lookRecord({
  context,
  findings: { preview, caller },
  outcome,
  error,
  now,
}: RecordFacts<AccessRecord['outcome']>): AccessRecord {
  return {
    type: 'access',
    listener: 'admin',
    time: new Date(now).toISOString(),
    ...recordedRequest(context),
    outcome,
    ...(outcome === 'permitted' ? { asked: preview } : { code: codeOf(error) }),
    token: caller && auditedToken(caller),
  };
}

function editorToken({ token, caller }: Findings): AuditedToken | undefined {
  if (caller !== undefined) return auditedToken(caller);
  return token === undefined ? undefined : { sha256: tokenDigest(token) };
}

function codeOf(error: unknown) {
  return error instanceof BrokerError ? error.code : 'internal_error';
}
