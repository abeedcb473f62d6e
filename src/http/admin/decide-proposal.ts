/** `POST /v1/proposals/{id}/approve`, `…/reject` and `…/withdraw`. */

import { z } from 'zod';
import type { AdminAccess } from '../../core/admin-access.ts';
import { isChangeReason } from '../../core/editing/change-facts.ts';
import {
  type DecidingParts,
  type DecidingSteps,
  proposalApprover,
  proposalCloser,
} from '../../core/editing/decide-proposal.ts';
import type { Arrival, RouteHandler } from '../arrival.ts';
import { bearerToken } from '../bearer-token.ts';
import { readJsonBody } from '../json-body.ts';
import { requireNoQuery } from '../query.ts';
import { sendJson } from '../send-json.ts';
import type { AnswerEdit } from './edit-answer.ts';
import { proposalDocument } from './proposal-document.ts';

export interface DecideProposalOptions extends DecidingParts {
  readonly answer: AnswerEdit;
  readonly access: () => AdminAccess;
}

const reason = z.string().refine(isChangeReason, 'must be 1 to 500 printable characters');
const closingBody = z.strictObject({ reason });
const approvalBody = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be the sha256 of the proposal that you read'),
  reason,
});
const maxBodyBytes = 8 * 1024;

/** Answers as the edit itself would have. */
export function approveProposal(options: DecideProposalOptions): RouteHandler {
  const approve = proposalApprover(options);
  return async function approveNow(arrival, context) {
    const id = arrival.parameter('id');
    const result = await approve(context, id, steps(arrival, approvalBody));
    await options.answer(arrival.admit().res, result, context.requestId, { proposal: { id } });
  };
}

export function closeProposal(
  options: DecideProposalOptions,
  state: 'rejected' | 'withdrawn',
): RouteHandler {
  const close = proposalCloser(options, state);
  return async function closeNow(arrival, context) {
    const id = arrival.parameter('id');
    const proposal = await close(context, id, steps(arrival, closingBody));
    const document = proposalDocument({ proposal, state, access: options.access() });
    sendJson(arrival.admit().res, 200, document, context.requestId);
  };
}

function steps(arrival: Arrival, schema: typeof approvalBody | typeof closingBody): DecidingSteps {
  return {
    token: () => bearerToken(arrival.admit().headers.authorization),
    read: async () => {
      const req = arrival.admit();
      requireNoQuery(req);
      return await readJsonBody(req, { schema, maxBytes: maxBodyBytes });
    },
  };
}
