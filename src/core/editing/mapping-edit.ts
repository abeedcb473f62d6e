/**
 * The use case of every edit of a role mapping: who may, is it sound, is it based on the current version, does it
 * need a second administrator; then audit, write, and bring this instance up to date. In that order: no change
 * without its record. What needs somebody else becomes a proposal, which comes through here again when it is approved.
 */

import type { Clock } from '../../kit/timing/clock.ts';
import { isManagedByGit } from '../policy/managed-by-git.ts';
import type { AuditLog, LivePolicy } from '../ports.ts';
import type { AccessRecord } from '../records/reading-records.ts';
import type { RequestContext } from '../request-context.ts';
import { snapshotInForce } from '../snapshot-in-force.ts';
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
  refusalFor,
  refusalOutcome,
  requireStillEditor,
  writeOutcome,
} from './change-attempt.ts';
import type { MappingEdit, MappingWritten } from './mapping-history.ts';
import type { ProposalStore } from './ports.ts';
import {
  type Proposal,
  type ProposalEvent,
  requireSecondPerson,
  requireStandingAuthor,
} from './proposal.ts';
import { plannedProposal, propose } from './propose.ts';
import { requireBreakGlass, type Way, type WayParts, wayOf } from './second-administrator.ts';
import {
  checkEdit,
  type EditRequest,
  type SoundEdit,
  type SoundnessParts,
  type UnchangedEdit,
  unchangedVersion,
} from './sound-edit.ts';

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
  /** The mapping says that already, in this version: there is nothing to write. */
  | {
      readonly kind: 'unchanged';
      readonly edit: UnchangedEdit;
      readonly inForce: boolean;
    }
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

export interface MappingEditorParts extends SoundnessParts, WayParts {
  readonly identity: EditorIdentity;
  readonly proposals: ProposalStore;
  readonly audit: AuditLog;
  readonly clock: Clock;
  /** Told when somebody does without a second administrator. */
  readonly onBreakGlass?: ((edit: BrokenGlass) => void) | undefined;
  /** Told of proposals that were made or applied here. */
  readonly onProposal?: ((event: ProposalEvent) => void) | undefined;
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
    const refuse = async (thrown: unknown): Promise<never> => {
      const error = refusalFor(thrown, findings, parts);
      const recordRefusal = findings.preview === undefined ? record : recordLook;
      await recordRefusal(refusalOutcome(error), error);
      throw error;
    };

    const checked = await check(steps, findings, parts).catch(refuse);
    const { editor, edit, way } = checked;
    const told = await withoutWriting(checked, findings, { record, recordLook, policy });
    if (told !== undefined) {
      // By the administrators of this moment: it is a look (T340).
      try {
        requireStillEditor(findings, parts);
      } catch (error) {
        await refuse(error);
      }
      return told;
    }
    /** Audit before the effect: a change that cannot be accounted for must not be made. */
    const recorded = async <Result>(outcome: EditOutcome, effect: () => Promise<Result>) => {
      await record(outcome);
      const permitted = async () => {
        requireStillMay(checked, findings, parts);
        return await effect();
      };
      return await permitted().catch(async (error: unknown) => {
        // Without this record the log claims one change too many, never one too few: the editor hears the cause.
        await record(writeOutcome(error), error).catch(() => undefined);
        throw error;
      });
    };
    if (findings.proposal !== undefined && way === 'proposal') {
      const planned = findings.proposal;
      let isRecorded = false;
      const recordProposal = async (chosen: Proposal) => {
        findings.proposal = chosen;
        await record('proposed');
        isRecorded = true;
        requireStillMay(checked, findings, parts);
      };
      const proposing = { proposals, clock, record: recordProposal };
      const proposal = await propose(planned, proposing).catch(async (error: unknown) => {
        const said = record(writeOutcome(error), error);
        await (isRecorded ? said.catch(() => undefined) : said);
        throw error;
      });
      tellMade(proposal, planned, parts);
      return { kind: 'proposed', edit, proposal };
    }
    const { id: mappingId } = edit;
    if (way === 'break_glass') {
      parts.onBreakGlass?.({ requestId: context.requestId, actor: editor.name, mappingId });
    }
    const written = await recorded('authorized', () => store.write(toWrite(checked)));
    tellApplied(checked, parts);
    await policy?.refresh();
    return { kind: 'written', edit, written, inForce: isInForce(policy, written.revision) };
  };
}

/** One that waited already was made before. */
function tellMade({ id }: Proposal, planned: Proposal, { onProposal }: MappingEditorParts): void {
  if (id === planned.id) onProposal?.('made');
}

function tellApplied({ request }: Checked, { onProposal }: MappingEditorParts): void {
  if (request.approving !== undefined) onProposal?.('applied');
}

interface Recording {
  readonly record: (outcome: EditOutcome) => Promise<void>;
  readonly recordLook: (outcome: AccessRecord['outcome']) => Promise<void>;
  readonly policy: LivePolicy | undefined;
}

/** What changes nothing, and shows what is there (T105). Undefined: something is to be written. */
async function withoutWriting(
  { edit, unchanged, way }: Checked,
  { preview }: Findings,
  { record, recordLook, policy }: Recording,
): Promise<EditResult | undefined> {
  if (preview !== undefined) {
    await recordLook('permitted');
    return { kind: 'previewed', edit, needsApproval: way === 'proposal' };
  }
  if (unchanged === undefined) return undefined;
  await record('unchanged');
  await policy?.refresh();
  return {
    kind: 'unchanged',
    edit: unchanged,
    inForce: isInForce(policy, unchanged.current.revision),
  };
}

interface Checked {
  readonly editor: Editor;
  readonly request: EditRequest;
  readonly edit: SoundEdit;
  /** There is nothing to write. */
  readonly unchanged: UnchangedEdit | undefined;
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
  const unchanged = unchangedVersion(request, edit);
  const way =
    unchanged === undefined
      ? await wayOf({ request, edit, caller: editor.caller }, parts)
      : 'direct';
  findings.breakGlass = way === 'break_glass';
  if (way === 'proposal' && preview === undefined) {
    findings.proposal = await plannedProposal({ request, edit, editor }, parts);
  }
  return { editor, request, edit, unchanged, way };
}

/** After whatever waited, by the administrators and approvers of this moment (T276). */
function requireStillMay({ request, way }: Checked, findings: Findings, parts: MappingEditorParts) {
  requireStillEditor(findings, parts);
  const { caller } = findings;
  const rule = parts.rules().guardrails.approval;
  if (way === 'break_glass') requireBreakGlass(caller, rule);
  const { approving } = request;
  if (approving !== undefined && caller !== undefined) {
    requireSecondPerson(approving.proposal, caller, rule);
    const { identity } = parts;
    if (identity.kind === 'token') requireStandingAuthor(approving.proposal, identity.access());
  }
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
    override: isByHand(request, edit),
    reason: proposal?.reason ?? reason,
    applying: approving,
  };
}

/** What Git holds was changed by somebody who knew that. */
function isByHand({ override }: EditRequest, { current, after }: SoundEdit): boolean {
  return override && (isManagedByGit(current?.document) || isManagedByGit(after));
}

function isInForce(policy: LivePolicy | undefined, revision: number): boolean {
  const snapshot = policy && snapshotInForce(policy);
  return snapshot !== undefined && snapshot.revision >= revision;
}
