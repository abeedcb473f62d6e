/** What an editor is told: the difference, what to think about, and whether it is in force. */

import type { Response } from 'express';
import type { EditResult } from '../../core/editing/mapping-edit.ts';
import { proposalDigest } from '../../core/editing/proposal.ts';
import type { Fault } from '../../core/fault.ts';
import type { WritingRules } from '../../core/policy/mapping-check.ts';
import { mappingWarnings } from '../../core/policy/mapping-warnings.ts';
import type { RoleMapping } from '../../core/policy/role-mapping.ts';
import type { LivePolicy } from '../../core/ports.ts';
import { snapshotInForce } from '../../core/snapshot-in-force.ts';
import { documentChanges } from '../../kit/json/document-changes.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import { inTurns } from '../../kit/timing/in-turns.ts';
import { sendJson } from '../send-json.ts';
import { entityTag } from './preconditions.ts';

export interface EditAnswerOptions {
  /** As they are at the moment. */
  readonly rules: () => WritingRules;
  readonly policy: LivePolicy;
  readonly clock: Clock;
}

export interface EditExtra {
  readonly warnings?: readonly Fault[];
  readonly [member: string]: unknown;
}

export type AnswerEdit = (
  res: Response,
  result: EditResult,
  requestId: string,
  extra?: EditExtra,
) => Promise<void>;

export function answerEdit({ policy, rules, clock }: EditAnswerOptions): AnswerEdit {
  const warningsOf = async (after: RoleMapping | undefined) => {
    if (after === undefined) return [];
    const known = {
      // An edit is possible while this instance has no policy yet.
      snapshot: snapshotInForce(policy),
      pools: rules().pools,
      now: clock.now(),
    };
    return (await inTurns(mappingWarnings([after], known))).flat();
  };
  return async (res, result, requestId, extra = {}) => {
    const { id, action, current, after } = result.edit;
    const status = result.kind === 'proposed' ? 202 : isCreation(result) ? 201 : 200;
    const document = {
      id,
      action,
      ...outcome(result),
      mapping: after ?? null,
      changes: documentChanges(current?.document, after),
      ...extra,
      warnings: [...(await warningsOf(after)), ...(extra.warnings ?? [])],
    };
    sendJson(res, status, document, requestId, headersOf(result));
  };
}

type Settled = Extract<EditResult, { kind: 'written' | 'unchanged' }>;

function versionOf(result: Settled) {
  return result.kind === 'written' ? result.written : result.edit.current;
}

function isCreation({ kind, edit }: EditResult): boolean {
  return kind === 'written' && edit.action === 'create';
}

function outcome(result: EditResult) {
  if (result.kind === 'previewed') return { dryRun: true, needsApproval: result.needsApproval };
  if (result.kind === 'proposed') {
    const { proposal } = result;
    return { dryRun: false, proposal: { id: proposal.id, sha256: proposalDigest(proposal) } };
  }
  const { version, revision } = versionOf(result);
  const { inForce } = result;
  const unchanged = result.kind === 'unchanged' ? true : undefined;
  return { dryRun: false, version, revision, inForce, unchanged };
}

/** Nothing was stored by a preview, and nothing is left by a deletion, that a tag could stand for. */
function headersOf(result: EditResult): readonly string[] {
  if (result.kind === 'proposed') return ['Location', `/v1/proposals/${result.proposal.id}`];
  if (result.kind === 'previewed' || result.edit.after === undefined) return [];
  const { version } = versionOf(result);
  return ['ETag', entityTag(version)];
}
