/** What an editor is told: the difference, what to think about, and whether it is in force. */

import type { Response } from 'express';
import { documentChanges } from '../core/document-changes.ts';
import type { EditResult } from '../core/mapping-edit.ts';
import { mappingWarnings } from '../core/mapping-warnings.ts';
import type { PolicySnapshot } from '../core/policy-snapshot.ts';
import type { LivePolicy } from '../core/ports.ts';
import type { Clock } from '../kit/timing/clock.ts';
import { entityTag } from './preconditions.ts';
import { sendJson } from './send-json.ts';

export interface EditAnswerOptions {
  readonly policy: LivePolicy;
  readonly clock: Clock;
}

export type AnswerEdit = (
  res: Response,
  result: EditResult,
  requestId: string,
  extra?: Readonly<Record<string, unknown>>,
) => void;

export function answerEdit({ policy, clock }: EditAnswerOptions): AnswerEdit {
  return (res, result, requestId, extra = {}) => {
    const { id, action, current, after } = result.edit;
    const document = {
      id,
      action,
      ...outcome(result),
      mapping: after ?? null,
      changes: documentChanges(current?.document, after),
      warnings: after === undefined ? [] : mappingWarnings(after, snapshotOf(policy), clock.now()),
      ...extra,
    };
    const created = result.kind === 'written' && action === 'create';
    sendJson(res, created ? 201 : 200, document, requestId, tagHeader(result));
  };
}

function outcome(result: EditResult) {
  if (result.kind === 'previewed') return { dryRun: true };
  const { version, revision } = result.written;
  return { dryRun: false, version, revision, inForce: result.inForce };
}

/** Nothing was stored by a preview, and nothing is left by a deletion, that a tag could stand for. */
function tagHeader(result: EditResult): readonly string[] {
  if (result.kind === 'previewed' || result.edit.after === undefined) return [];
  return ['ETag', entityTag(result.written.version)];
}

/** An edit is possible while this instance has no policy yet. */
function snapshotOf(policy: LivePolicy): PolicySnapshot | undefined {
  try {
    return policy.current();
  } catch {
    return undefined;
  }
}
