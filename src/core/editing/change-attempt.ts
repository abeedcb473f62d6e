/**
 * Who tries to change what, as far as it is known while the attempt goes on, and the record that it leaves: the same for
 * edits of role mappings and for what becomes of proposals.
 */

import type { Clock } from '../../kit/timing/clock.ts';
import { type AdminAccess, type AdminPermission, requireAdmin } from '../admin-access.ts';
import type { Caller } from '../caller.ts';
import { BrokerError } from '../errors.ts';
import type { TokenValidator } from '../ports.ts';
import { type AuditedToken, auditedToken } from '../records/audited-token.ts';
import type { AuditedProposal, MappingChangeRecord } from '../records/change-records.ts';
import type { AccessRecord } from '../records/reading-records.ts';
import { recordedRequest } from '../records/recorded-request.ts';
import type { RequestContext } from '../request-context.ts';
import { tokenDigest } from '../token-digest.ts';
import type { ChangeAction } from './change-facts.ts';
import { type Proposal, proposalDigest } from './proposal.ts';
import type { SoundEdit } from './sound-edit.ts';

/** What is known before anything of the request is: a refusal is recorded with it. */
export interface EditAttempt {
  /** `*`: not known before its proposal is read. */
  readonly action: ChangeAction | '*';
  readonly id: string | undefined;
  /** Id of the proposal that it is about. */
  readonly proposal?: string | undefined;
  /** What the editor must be permitted, unless it is a preview. */
  readonly permission: Exclude<AdminPermission, 'read'>;
}

export interface OpenedEdit {
  readonly token: string | undefined;
  /** Path and query of a preview, which changes nothing; undefined: an edit is meant. */
  readonly preview: string | undefined;
}

/**
 * How an editor is known. `token`: proven, to the one check of administrators. `claimed`: what a command says
 * that IAM lets write to the table; whatever such an edit leaves behind says that nothing proved it (T59).
 */
export type EditorIdentity =
  | {
      readonly kind: 'token';
      readonly validator: TokenValidator;
      /** As it is at the moment. */
      readonly access: () => AdminAccess;
    }
  | { readonly kind: 'claimed'; readonly name: string };

export interface Editor {
  /** As the history of the table names them. */
  readonly name: string;
  /** Whether a verified token says so. */
  readonly proven: boolean;
  /** Of the verified token. */
  readonly caller: Caller | undefined;
}

/** Filled in step by step, so that a refusal records how far the attempt came. */
export interface Findings {
  readonly attempt: EditAttempt;
  readonly context: RequestContext;
  preview?: OpenedEdit['preview'];
  token?: string | undefined;
  caller?: Caller;
  editor?: Editor;
  /** What was asked for, once it is read. */
  request?: { readonly id: string; readonly reason: string; readonly override: boolean };
  edit?: SoundEdit;
  proposal?: Proposal | undefined;
  breakGlass?: boolean;
  /** The end of a proposal that is on record, and is yet to be written. */
  ending?: 'rejected' | 'withdrawn';
}

/** @throws BrokerError */
export async function identify(
  findings: Findings,
  { identity, clock }: { readonly identity: EditorIdentity; readonly clock: Clock },
): Promise<Editor> {
  if (identity.kind === 'claimed') {
    findings.editor = { name: identity.name, proven: false, caller: undefined };
    return findings.editor;
  }
  const { context, token } = findings;
  if (token === undefined) throw new BrokerError('token_missing');
  const caller = await identity.validator.validate(token, context.sourceIp);
  findings.caller = caller;
  context.caller = caller;
  findings.editor = { name: actorOf(caller), proven: true, caller };
  requireAdmin(identity.access(), caller, permissionOf(findings), clock.now());
  return findings.editor;
}

/** A preview tells nothing that a reader could not work out. */
function permissionOf({ attempt, preview }: Findings): AdminPermission {
  return preview === undefined ? attempt.permission : 'read';
}

/**
 * Once more, after whatever waited: nobody edits who is not an administrator any more (T276).
 *
 * @throws BrokerError
 */
export function requireStillEditor(
  findings: Findings,
  { identity, clock }: { readonly identity: EditorIdentity; readonly clock: Clock },
): void {
  const { caller } = findings;
  if (identity.kind === 'claimed' || caller === undefined) return;
  identity.validator.requireStillAccepted(caller);
  requireAdmin(identity.access(), caller, permissionOf(findings), clock.now());
}

/** What an attempt is refused with: nothing of the policy to whoever is not an administrator any more (T340). */
export function refusalFor(
  error: unknown,
  findings: Findings,
  parts: { readonly identity: EditorIdentity; readonly clock: Clock },
): unknown {
  try {
    requireStillEditor(findings, parts);
    return error;
  } catch (refused) {
    return refused;
  }
}

/** How the history of the table names an editor. */
function actorOf({ pool, clientId, subject, machine }: Caller): string {
  const client = `${pool}/${clientId ?? ''}`;
  return machine ? client : `${client}/${subject}`;
}

export type EditOutcome = MappingChangeRecord['outcome'];

export function refusalOutcome(error: unknown): 'refused' | 'failed' {
  return error instanceof BrokerError && error.status < 500 ? 'refused' : 'failed';
}

export function writeOutcome(error: unknown): EditOutcome {
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

export function changeRecord({
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
    code: error === undefined ? undefined : codeOf(error),
    token: editorToken(findings),
    actor: editor?.name,
    actorProven: editor?.proven ?? false,
    action: edit?.action ?? attempt.action,
    mappingId: request?.id ?? attempt.id,
    baseVersion: edit?.current?.version,
    reason: request?.reason,
    override: request?.override === true ? true : undefined,
    proposal: auditedProposal(findings),
    takesBack: outcome === findings.ending ? undefined : findings.ending,
    breakGlass: findings.breakGlass === true ? true : undefined,
    before: edit?.current?.mapping ?? null,
    after: edit?.after ?? null,
  };
}

function auditedProposal({ attempt, proposal }: Findings): AuditedProposal | undefined {
  if (proposal === undefined)
    return attempt.proposal === undefined ? undefined : { id: attempt.proposal };
  return { id: proposal.id, sha256: proposalDigest(proposal), author: proposal.author.name };
}

/** As every other look at what the admin listener shows. */
export function lookRecord({
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
