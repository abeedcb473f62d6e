/**
 * What would be decided for somebody, and why: for the holder of a token, whose judging leaves an audit record, or for
 * a caller that an administrator describes.
 */

import type { Clock } from '../kit/timing/clock.ts';
import { inTurns } from '../kit/timing/in-turns.ts';
import type { Caller } from './caller.ts';
import {
  type DescribedCaller,
  type DescriptionRules,
  describedCaller,
} from './described-caller.ts';
import { BrokerError } from './errors.ts';
import type { RoleRequest } from './policy/decide.ts';
import { type Explanation, explaining } from './policy/explain.ts';
import type { AuditLog, PolicySource, TokenValidator } from './ports.ts';
import { type AuditedToken, auditedToken } from './records/audited-token.ts';
import type { ExplainRecord } from './records/reading-records.ts';
import { recordedRequest } from './records/recorded-request.ts';
import type { RequestContext } from './request-context.ts';
import { identityOf } from './session/session.ts';
import type { IdentityForm } from './session/session-settings.ts';
import { tokenDigest } from './token-digest.ts';

export interface ExplainParts extends DescriptionRules {
  readonly validator: TokenValidator;
  readonly policy: PolicySource;
  readonly audit: AuditLog;
  /** Which web identity token STS is shown for mappings that do not say. */
  readonly identityByDefault: IdentityForm;
  readonly clock: Clock;
}

export interface Question {
  readonly admin: Caller;
  /** Whom it is about. */
  readonly about: { readonly token: string } | { readonly caller: DescribedCaller };
  readonly request: RoleRequest;
  readonly context: RequestContext;
}

export interface Answer {
  readonly policyRevision: number;
  /** Why there would be no credentials, whatever the mappings say. */
  readonly refusal: BrokerError | undefined;
  /** Undefined where the token is refused. */
  readonly explained: { readonly caller: Caller; readonly explanation: Explanation } | undefined;
}

export type ExplainDecision = (question: Question) => Promise<Answer>;

/** @throws BrokerError `body_invalid` for a described caller that there can be none of, and as the ports do. */
export function explainDecision(parts: ExplainParts): ExplainDecision {
  const { policy, audit, clock } = parts;
  return async function explained(question) {
    const now = clock.now();
    const snapshot = policy.current();
    const subject = await subjectOf(question, parts, now);
    const explanation =
      subject.caller &&
      (await inTurns(explaining(snapshot, subject.caller, question.request, now)));
    const refusal = subject.refusal ?? refusalBySts(subject.caller, explanation, parts);
    if (subject.token !== undefined) {
      const outcome = refusal === undefined ? explanation?.decision.kind : undefined;
      const verdict = { outcome: outcome ?? 'refused', code: refusal?.code } as const;
      await audit.record(explainRecord(question, subject.token, verdict, now));
    }
    return {
      policyRevision: snapshot.revision,
      refusal,
      explained: subject.caller && explanation && { caller: subject.caller, explanation },
    };
  };
}

interface Subject {
  readonly caller?: Caller;
  readonly refusal?: BrokerError;
  /** Undefined for a described caller. */
  readonly token?: AuditedToken;
}

async function subjectOf(
  { about, context }: Question,
  parts: ExplainParts,
  now: number,
): Promise<Subject> {
  if ('token' in about) return tokenSubject(about.token, parts.validator, context.sourceIp);
  const caller = describedCaller(about.caller, parts, now);
  if ('pool' in caller) return { caller };
  throw new BrokerError('body_invalid', {
    detail: 'There can be no such caller; "errors" says why.',
    faults: caller,
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
    return { caller, token: auditedToken(caller) };
  } catch (error) {
    if (!(error instanceof BrokerError) || error.status >= 500) throw error;
    // That many tokens were refused says nothing of this one.
    if (error.code === 'rate_limited') throw error;
    return { refusal: error, token: { sha256: tokenDigest(token) } };
  }
}

/** What an exchange would meet after the mappings have allowed it. */
function refusalBySts(
  caller: Caller | undefined,
  explanation: Explanation | undefined,
  { identityByDefault }: ExplainParts,
): BrokerError | undefined {
  if (explanation?.decision.kind !== 'allow' || caller?.audience !== undefined) return undefined;
  if (identityOf(explanation.decision.session, identityByDefault) === 'broker') return undefined;
  return new BrokerError('token_audience_missing', {
    detail:
      'The mappings allow it, but AWS STS needs an "aud" claim, which this token lacks. docs/aws-setup.md says how tokens get one.',
  });
}

function explainRecord(
  { admin, request, context }: Question,
  explained: AuditedToken,
  verdict: Pick<ExplainRecord, 'outcome' | 'code'>,
  now: number,
): ExplainRecord {
  const { role, durationSeconds } = request;
  return {
    type: 'explain',
    time: new Date(now).toISOString(),
    ...recordedRequest(context),
    token: auditedToken(admin),
    explained,
    request: { role, durationSeconds },
    ...verdict,
  };
}
