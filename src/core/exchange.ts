/**
 * The use case: a token in, session credentials out. Read from top to bottom it is the security argument.
 *
 * Every wire form calls it; they differ in how they read the request and how they print the outcome.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../kit/timing/clock.ts';
import {
  type AuditedToken,
  auditedCredentials,
  auditedMapping,
  auditedRequest,
  auditedSession,
  auditedToken,
  type ExchangeRecord,
  type RequestContext,
} from './audit-record.ts';
import { minDurationSeconds } from './aws-names.ts';
import type { Caller } from './caller.ts';
import type { IssueResult } from './credentials.ts';
import { BrokerError } from './errors.ts';
import { type Decision, decide, type RoleRequest } from './policy/decide.ts';
import type { CompiledMapping, PolicySnapshot } from './policy/policy-snapshot.ts';
import type {
  AuditLog,
  CallerLimit,
  CredentialIssuer,
  PolicySource,
  TokenValidator,
} from './ports.ts';
import type { SessionPlan } from './session/session.ts';
import {
  bringsPolicy,
  type SessionWishes,
  type WishedSession,
  wishedSession,
} from './session/session-wishes.ts';
import { tokenDigest } from './token-digest.ts';

export interface ExchangeRequest extends SessionWishes {
  readonly token: string;
  /** Id of a mapping or ARN of a role. */
  readonly role: string | undefined;
  readonly durationSeconds: number | undefined;
}

export interface ExchangeResult {
  readonly plan: SessionPlan;
  readonly issued: IssueResult;
}

/**
 * `read` takes the request off the wire; what it throws is refused and recorded like everything else.
 *
 * @throws BrokerError
 */
export type Exchange = (
  context: RequestContext,
  read: () => ExchangeRequest | Promise<ExchangeRequest>,
) => Promise<ExchangeResult>;

export interface ExchangeParts {
  readonly validator: TokenValidator;
  readonly limit: CallerLimit;
  readonly policy: PolicySource;
  readonly issuer: CredentialIssuer;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

export function createExchange({
  validator,
  limit,
  policy,
  issuer,
  audit,
  clock,
}: ExchangeParts): Exchange {
  return async function exchange(context, read) {
    const findings = new Findings();
    const refuse = async (thrown: unknown): Promise<never> => {
      const error = asCallersFault(thrown, findings.request);
      if (isUnread(error)) findings.request = undefined;
      await audit.record(refusalRecord(context, findings, error, clock.now()));
      throw error;
    };
    const planNow = (caller: Caller, request: ExchangeRequest): SessionPlan => {
      const snapshot = policy.current();
      findings.snapshot = snapshot;
      const decision = decide(snapshot, caller, roleRequest(request, context), clock.now());
      findings.mapping = decision.kind === 'ambiguous' ? undefined : decision.mapping;
      const { mapping, session } = requireAllowed(decision);
      const plan = requireWished(wishedSession(mapping, session, request));
      findings.plan = plan;
      return plan;
    };

    let result: ExchangeResult;
    let requireStillPlanned: () => void;
    try {
      const request = await read();
      findings.request = request;

      const caller = await validator.validate(request.token, context.sourceIp);
      findings.caller = caller;
      context.client = caller.clientId;
      limit.charge(caller);

      const plan = planNow(caller, request);
      requireStillPlanned = () => requireSamePlan(plan, planNow(caller, request));

      const issuing = issuer.issue(plan, request.token);
      result = { plan, issued: await issuing };
      findings.issued = result.issued;
      // A freeze may have come while STS was asked: nothing is answered by an older decision (T66).
      if (issuing instanceof Promise) requireStillPlanned();
    } catch (thrown) {
      return refuse(thrown);
    }
    // Audit before replying: a credential that cannot be accounted for must not leave the process.
    await audit.record(issueRecord(context, findings, result, clock.now()));
    try {
      // Or while the record waited for its disk. The snapshot is one object until the policy changes.
      if (policy.current() !== findings.snapshot) requireStillPlanned();
    } catch (thrown) {
      return refuse(thrown);
    }
    return result;
  };
}

/** What is known about a request so far: filled in step by step, so that a refusal records how far it came. */
class Findings {
  request: ExchangeRequest | undefined;
  caller: Caller | undefined;
  /** What was decided by last. */
  snapshot: PolicySnapshot | undefined;
  mapping: CompiledMapping | undefined;
  plan: SessionPlan | undefined;
  /** What STS has made for this request, whether it leaves or not. */
  issued: IssueResult | undefined;
}

function roleRequest(request: ExchangeRequest, context: RequestContext): RoleRequest {
  return {
    role: request.role,
    durationSeconds: request.durationSeconds,
    sourceIp: context.sourceIp,
  };
}

function requireAllowed(decision: Decision): Extract<Decision, { kind: 'allow' }> {
  switch (decision.kind) {
    case 'allow':
      return decision;
    case 'deny':
      // The same answer for every denial: which mappings and roles exist is not the caller's business.
      throw new BrokerError('access_denied', {
        detail:
          'No role mapping allows this caller to use the requested role. Ask the owner of the role for a mapping, and give them the request id.',
        reason: decision.reason,
      });
    case 'ambiguous':
      throw new BrokerError('role_ambiguous', {
        detail:
          'Several roles are allowed. Repeat the request with "role" set to one of the choices.',
        choices: decision.choices.map(({ mapping }) => ({
          mapping: mapping.id,
          role: mapping.role,
        })),
      });
    case 'duration_not_allowed': {
      const { maxDurationSeconds } = decision.mapping.mapping.session;
      throw new BrokerError('duration_not_allowed', {
        detail: `Ask for ${minDurationSeconds} to ${maxDurationSeconds} seconds, or leave durationSeconds out.`,
      });
    }
  }
}

/** Another session may be allowed by now, but it is not the one that STS made. */
function requireSamePlan(made: SessionPlan, now: SessionPlan): void {
  if (made === now || isDeepStrictEqual(made, now)) return;
  throw new BrokerError('policy_changed', {
    detail:
      'The role mapping was edited while the session was made. Try again after the time in Retry-After.',
  });
}

function requireWished(wished: WishedSession): SessionPlan {
  switch (wished.kind) {
    case 'planned':
      return wished.session;
    case 'policy_not_allowed':
      throw new BrokerError('session_policy_not_allowed', {
        detail:
          'Leave the session policy and the policy ARNs out, or ask the owner of the role mapping to set session.callerPolicy.',
      });
    case 'policy_invalid': {
      const { faults } = wished;
      // Not every wire form has room for the list.
      const first = faults.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}`)[0];
      throw new BrokerError('session_policy_invalid', {
        detail: `Correct the session policy: ${first}.`,
        faults,
      });
    }
  }
}

/**
 * The token was not looked at, because its address has sent too many bad ones. On record is the address alone:
 * by tokens that are all different, a flood would get a record for each (T55).
 */
function isUnread(error: unknown): boolean {
  return error instanceof BrokerError && error.reason === 'failed_tokens';
}

/** A policy that STS refuses and the caller brought is theirs to mend, not the owner's of the mapping. */
function asCallersFault(error: unknown, request: ExchangeRequest | undefined): unknown {
  if (request === undefined || !bringsPolicy(request)) return error;
  if (!(error instanceof BrokerError) || error.code !== 'sts_request_rejected') return error;
  const { reason } = error;
  if (reason !== 'policy_malformed' && reason !== 'policy_too_large') return error;
  return new BrokerError('session_policy_invalid', {
    detail:
      reason === 'policy_malformed'
        ? 'STS cannot read the session policy of the request, or does not know its policy ARNs: correct them.'
        : 'The session policy of the request and the session tags of the token together are too large for STS: shorten the policy.',
    reason,
    cause: error,
  });
}

function issueRecord(
  context: RequestContext,
  findings: Findings,
  { plan, issued }: ExchangeResult,
  now: number,
): ExchangeRecord {
  return recordOf(context, findings, now, {
    outcome: 'issued',
    code: undefined,
    reason: undefined,
    session: auditedSession(plan),
    credentials: auditedCredentials(issued),
  });
}

function refusalRecord(
  context: RequestContext,
  findings: Findings,
  error: unknown,
  now: number,
): ExchangeRecord {
  const known = error instanceof BrokerError ? error : undefined;
  return recordOf(context, findings, now, {
    outcome: known !== undefined && known.status < 500 ? 'denied' : 'failed',
    code: known?.code ?? 'internal_error',
    reason: known?.reason,
    session: findings.plan && auditedSession(findings.plan),
    credentials: findings.issued && auditedCredentials(findings.issued),
  });
}

type Outcome = Pick<ExchangeRecord, 'outcome' | 'code' | 'reason' | 'session' | 'credentials'>;

/** One literal: spreading so many members costs more than the decision. */
function recordOf(
  context: RequestContext,
  findings: Findings,
  now: number,
  { outcome, code, reason, session, credentials }: Outcome,
): ExchangeRecord {
  const { request, snapshot, mapping } = findings;
  return {
    type: 'exchange',
    time: new Date(now).toISOString(),
    requestId: context.requestId,
    route: context.route,
    sourceIp: context.sourceIp,
    peerIp: context.peerIp,
    userAgent: context.userAgent,
    outcome,
    code,
    reason,
    token: tokenOf(findings),
    request: request && auditedRequest(request),
    policyRevision: snapshot?.revision,
    mapping: mapping && auditedMapping(mapping),
    session,
    credentials,
  };
}

function tokenOf({ caller, request }: Findings): AuditedToken | undefined {
  if (caller !== undefined) return auditedToken(caller);
  return request && { sha256: tokenDigest(request.token) };
}
