/** `POST /v1/explain`: what would be decided for a caller, and why. */

import { z } from 'zod';
import { maxDurationSeconds, minDurationSeconds } from '../../core/aws-names.ts';
import { callerDescription } from '../../core/described-caller.ts';
import type { BrokerError } from '../../core/errors.ts';
import type { ExplainDecision } from '../../core/explain-decision.ts';
import type { KnownPools } from '../../core/policy/mapping-reach.ts';
import type { RouteHandler } from '../arrival.ts';
import { readJsonBody } from '../json-body.ts';
import { requireNoQuery } from '../query.ts';
import { requestedRole } from '../requested-role.ts';
import { explanationDocument } from './explanation-document.ts';
import type { AdminLook } from './look.ts';

export interface AnswerExplainOptions {
  readonly look: AdminLook;
  readonly explain: ExplainDecision;
  /** Whose tokens are accepted, as far as it is known. */
  readonly pools: () => KnownPools | undefined;
  readonly maxBodyBytes: number;
}

const jwt = z.string().regex(/^[A-Za-z0-9._~+/=-]{1,16384}$/, 'must be a JWT');

const request = z
  .strictObject({
    role: requestedRole.optional(),
    durationSeconds: z.int().min(minDurationSeconds).max(maxDurationSeconds).optional(),
    /** Default: the address of whoever asks. */
    sourceIp: z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' }).optional(),
  })
  .prefault({});

export const explainBody = z
  .strictObject({ token: jwt.optional(), caller: callerDescription.optional(), request })
  .transform(({ token, caller, request }, { addIssue }) => {
    if (token !== undefined && caller === undefined) return { about: { token }, request };
    if (caller !== undefined && token === undefined) return { about: { caller }, request };
    addIssue('must have either a token or a caller');
    return z.NEVER;
  });

export function answerExplain(options: AnswerExplainOptions): RouteHandler {
  const { look, explain, pools, maxBodyBytes: maxBytes } = options;
  return look(async ({ req, admin }, context) => {
    requireNoQuery(req);
    const body = await readJsonBody(req, { schema: explainBody, maxBytes });
    const { role, durationSeconds, sourceIp = context.sourceIp } = body.request;
    const request = { role, durationSeconds, sourceIp };
    const { about } = body;
    const { policyRevision, refusal, explained } = await explain({
      admin,
      about,
      request,
      context,
    });
    const document = {
      policyRevision,
      request,
      refusal: refusal && refusalDocument(refusal),
      ...(explained && explanationDocument(explained.explanation, explained.caller, pools())),
    };
    return { document };
  });
}

function refusalDocument({ code, status, message: detail }: BrokerError) {
  return { code, status, detail };
}
