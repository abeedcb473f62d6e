/** `POST /v1/explain`: what would be decided for a caller, and why. */

import { z } from 'zod';
import {
  type AuditedToken,
  auditedToken,
  type ExplainRecord,
  type RequestContext,
} from '../../core/audit-record.ts';
import type { Caller } from '../../core/caller.ts';
import {
  callerDescription,
  type DescriptionRules,
  describedCaller,
} from '../../core/described-caller.ts';
import { BrokerError } from '../../core/errors.ts';
import type { RoleRequest } from '../../core/policy/decide.ts';
import { explain } from '../../core/policy/explain.ts';
import type { PolicySnapshot } from '../../core/policy/policy-snapshot.ts';
import type { AuditLog, PolicySource, TokenValidator } from '../../core/ports.ts';
import { tokenDigest } from '../../core/token-digest.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { RouteHandler } from '../arrival.ts';
import { readJsonBody } from '../json-body.ts';
import { requireNoQuery } from '../query.ts';
import { requestedRole } from '../requested-role.ts';
import { sendJson } from '../send-json.ts';
import type { AuthorizeReader } from './authorize-admin.ts';
import { explanationDocument } from './explanation-document.ts';

export interface ExplainDecisionOptions extends DescriptionRules {
  readonly authorize: AuthorizeReader;
  readonly validator: TokenValidator;
  readonly policy: PolicySource;
  readonly audit: AuditLog;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
}

export const explainBody = z
  .strictObject({
    token: z
      .string()
      .regex(/^[A-Za-z0-9._~+/=-]{1,16384}$/, 'must be a JWT')
      .optional(),
    caller: callerDescription.optional(),
    request: z
      .strictObject({
        role: requestedRole.optional(),
        durationSeconds: z.int().min(900).max(43_200).optional(),
        /** Default: the address of whoever asks. */
        sourceIp: z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' }).optional(),
      })
      .prefault({}),
  })
  .refine(({ token, caller }) => (token === undefined) !== (caller === undefined), {
    error: 'must have either a token or a caller',
  });

export function explainDecision(options: ExplainDecisionOptions): RouteHandler {
  const { authorize, policy, audit, maxBodyBytes, clock } = options;
  return async function explainRequest(arrival, context) {
    const { req, admin } = await authorize(arrival, context);
    requireNoQuery(req);
    const body = await readJsonBody(req, { schema: explainBody, maxBytes: maxBodyBytes });
    const request = {
      role: body.request.role,
      durationSeconds: body.request.durationSeconds,
      sourceIp: body.request.sourceIp ?? context.sourceIp,
    };
    const now = clock.now();
    const snapshot = policy.current();
    const subject = await subjectOf(body, options, context.sourceIp, now);
    const verdict = judge(subject, snapshot, request, now);
    if (subject.token !== undefined) {
      const facts = { admin, explained: subject.token, request, now };
      await audit.record(explainRecord(context, facts, verdict));
    }
    const document = { policyRevision: snapshot.revision, request, ...verdict.document };
    sendJson(req.res, 200, document, context.requestId);
  };
}

type Subject =
  | {
      readonly kind: 'caller';
      readonly caller: Caller;
      /** Undefined for a described caller. */
      readonly token: AuditedToken | undefined;
    }
  | { readonly kind: 'refused'; readonly error: BrokerError; readonly token: AuditedToken };

interface Verdict {
  readonly outcome: ExplainRecord['outcome'];
  readonly refusal: BrokerError | undefined;
  readonly document: object;
}

function judge(
  subject: Subject,
  snapshot: PolicySnapshot,
  request: RoleRequest,
  now: number,
): Verdict {
  if (subject.kind === 'refused') return refused(subject.error);
  const { caller } = subject;
  const explanation = explain(snapshot, caller, request, now);
  const document = explanationDocument(explanation, caller);
  const { kind: outcome } = explanation.decision;
  if (outcome !== 'allow' || caller.audience !== undefined) {
    return { outcome, refusal: undefined, document };
  }
  const noAudience = new BrokerError('token_audience_missing', {
    detail:
      'The mappings allow it, but AWS STS needs an "aud" claim, which this token lacks. docs/aws-setup.md says how tokens get one.',
  });
  return refused(noAudience, document);
}

function refused(refusal: BrokerError, document: object = {}): Verdict {
  const { code, status, message } = refusal;
  return {
    outcome: 'refused',
    refusal,
    document: { refusal: { code, status, detail: message }, ...document },
  };
}

async function subjectOf(
  { token, caller: description }: z.output<typeof explainBody>,
  options: ExplainDecisionOptions,
  source: string,
  now: number,
): Promise<Subject> {
  if (token !== undefined) return await tokenSubject(token, options.validator, source);
  const caller = description && describedCaller(description, options, now);
  if (caller !== undefined && 'pool' in caller) return { kind: 'caller', caller, token: undefined };
  throw new BrokerError('body_invalid', {
    detail: 'There can be no such caller; "errors" says why.',
    faults: caller ?? [],
  });
}

/** A refusal of this token is the explanation, and must not look like one of the administrator's own. */
async function tokenSubject(
  token: string,
  validator: TokenValidator,
  source: string,
): Promise<Subject> {
  try {
    const caller = await validator.validate(token, source);
    return { kind: 'caller', caller, token: auditedToken(caller) };
  } catch (error) {
    if (!(error instanceof BrokerError) || error.status >= 500) throw error;
    // That many tokens were refused says nothing of this one.
    if (error.code === 'rate_limited') throw error;
    return { kind: 'refused', error, token: { sha256: tokenDigest(token) } };
  }
}

interface ExplainFacts {
  readonly admin: Caller;
  readonly explained: AuditedToken;
  readonly request: RoleRequest;
  readonly now: number;
}

function explainRecord(
  { requestId, route, sourceIp, peerIp, userAgent }: RequestContext,
  { admin, explained, request, now }: ExplainFacts,
  { outcome, refusal }: Verdict,
): ExplainRecord {
  const { role, durationSeconds } = request;
  return {
    type: 'explain',
    time: new Date(now).toISOString(),
    requestId,
    route,
    sourceIp,
    peerIp,
    ...(userAgent === undefined ? {} : { userAgent }),
    token: auditedToken(admin),
    explained,
    request: {
      ...(role === undefined ? {} : { role }),
      ...(durationSeconds === undefined ? {} : { durationSeconds }),
    },
    outcome,
    ...(refusal === undefined ? {} : { code: refusal.code }),
  };
}
