/**
 * The use case: a token in, session credentials out. Read from top to bottom it is the security argument.
 *
 * Every wire form calls it; they differ in how they read the request and how they print the outcome.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../kit/timing/clock.ts';
import { isoTime } from '../kit/timing/iso-time.ts';
import type { AccessHelp } from './access-help.ts';
import { minDurationSeconds } from './aws-names.ts';
import type { Caller } from './caller.ts';
import type { IssueResult } from './credentials.ts';
import { rememberedDenials } from './denials.ts';
import { BrokerError } from './errors.ts';
import type { CompiledMapping } from './policy/compiled-mapping.ts';
import { type Decision, decide, type RoleRequest } from './policy/decide.ts';
import type { PolicySnapshot } from './policy/policy-snapshot.ts';
import type {
  AuditLog,
  CallerLimit,
  CredentialIssuer,
  PolicySource,
  TokenValidator,
} from './ports.ts';
import { auditedRequest } from './records/audited-request.ts';
import { auditedCredentials, auditedMapping, auditedSession } from './records/audited-session.ts';
import { type AuditedToken, auditedToken } from './records/audited-token.ts';
import type { ExchangeEnd, ExchangeRecord } from './records/exchange-record.ts';
import type { RequestContext } from './request-context.ts';
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
 * `read` takes the request off the wire; what it throws is refused and recorded like everything else. A refusal that is on
 * record is returned: to throw it through each function that waits for it costs more than to decide it.
 *
 * @throws BrokerError when the refusal could not be recorded, and what nobody has foreseen
 */
export type Exchange = (
  context: RequestContext,
  read: () => ExchangeRequest | Promise<ExchangeRequest>,
) => Promise<ExchangeResult | BrokerError>;

export interface ExchangeParts {
  readonly validator: TokenValidator;
  readonly limit: CallerLimit;
  readonly policy: PolicySource;
  readonly issuer: CredentialIssuer;
  readonly audit: AuditLog;
  readonly accessHelp: AccessHelp;
  readonly clock: Clock;
}

export function createExchange({
  validator,
  limit,
  policy,
  issuer,
  audit,
  accessHelp,
  clock,
}: ExchangeParts): Exchange {
  const denialOf = rememberedDenials(accessHelp);
  return async function exchange(context, read) {
    const findings = new Findings();
    const refuse = async (thrown: unknown): Promise<BrokerError> => {
      const error = asCallersFault(thrown, findings.request);
      if (isUnread(error)) findings.request = undefined;
      await audit.record(recordOf(context, findings, refusedBy(error), clock.now()));
      if (error instanceof BrokerError) return error;
      throw error;
    };
    const planNow = (caller: Caller, request: ExchangeRequest): SessionPlan | BrokerError => {
      const snapshot = policy.current();
      findings.snapshot = snapshot;
      const decision = decide(snapshot, caller, roleRequest(request, context), clock.now());
      findings.mapping = decision.kind === 'ambiguous' ? undefined : decision.mapping;
      // The same answer for every denial: which mappings and roles exist is not the caller's business.
      if (decision.kind === 'deny') return denialOf(request.role, decision.reason);
      const { mapping, session } = requireAllowed(decision);
      const plan = requireWished(wishedSession(mapping, session, request));
      findings.plan = plan;
      return plan;
    };

    let result: ExchangeResult;
    let caller: Caller;
    let requireStillPlanned: () => void;
    try {
      const request = await read();
      findings.request = request;

      const proven = await validator.validate(request.token, context.sourceIp);
      caller = proven;
      findings.caller = caller;
      context.caller = caller;
      limit.charge(caller);

      const plan = planNow(caller, request);
      // Not awaited here: what the log has not taken is thrown, and not put on record as a second refusal.
      if (plan instanceof BrokerError) return refuse(plan);
      requireStillPlanned = () => requireSamePlan(plan, planNow(proven, request));

      const issuing = issuer.issue(plan, request.token);
      result = { plan, issued: await issuing };
      findings.issued = result.issued;
      // A freeze may have come while STS was asked, or another configuration: nothing is answered by an older decision (T66, T275).
      if (issuing instanceof Promise) {
        validator.requireStillAccepted(caller);
        requireStillPlanned();
      }
    } catch (thrown) {
      return refuse(thrown);
    }
    // Audit before replying: a credential that cannot be accounted for must not leave the process.
    await audit.record(recordOf(context, findings, issuedOutcome, clock.now()));
    try {
      validator.requireStillAccepted(caller);
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

type Allowed = Extract<Decision, { kind: 'allow' }>;

function requireAllowed(decision: Exclude<Decision, { kind: 'deny' }>): Allowed {
  switch (decision.kind) {
    case 'allow':
      return decision;
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
function requireSamePlan(made: SessionPlan, now: SessionPlan | BrokerError): void {
  if (now instanceof BrokerError) throw now;
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

type Outcome = Pick<ExchangeEnd, 'outcome' | 'code' | 'reason'>;

const issuedOutcome: Outcome = { outcome: 'issued', code: undefined, reason: undefined };

function refusedBy(error: unknown): Outcome {
  const known = error instanceof BrokerError ? error : undefined;
  return {
    outcome: known !== undefined && known.status < 500 ? 'denied' : 'failed',
    code: known?.code ?? 'internal_error',
    reason: known?.reason,
  };
}

/** One literal: spreading so many members costs more than the decision. */
function recordOf(
  context: RequestContext,
  findings: Findings,
  came: Outcome,
  now: number,
): ExchangeRecord {
  const end = endOf(findings, came);
  return {
    type: 'exchange',
    time: isoTime(now),
    requestId: context.requestId,
    traceId: context.traceId,
    route: context.route,
    sourceIp: context.sourceIp,
    peerIp: context.peerIp,
    userAgent: context.userAgent,
    outcome: end.outcome,
    code: end.code,
    reason: end.reason,
    token: end.token,
    request: end.request,
    policyRevision: end.policyRevision,
    mapping: end.mapping,
    session: end.session,
    credentials: end.credentials,
  };
}

/** What the last request came to by this result of issuing, which is one object for all hits of a cache entry, or, without one, of this caller. */
const lastEnds = new WeakMap<IssueResult | Caller, KnownEnd>();

/** An end, with all that it was made of; no token is kept. */
interface KnownEnd extends Readonly<Pick<Findings, 'caller' | 'snapshot' | 'mapping' | 'plan'>> {
  /** No other request comes to this end: it has wishes. */
  readonly once: boolean;
  readonly end: ExchangeEnd;
}

/** Members that are the same objects for all requests that are alike: the log has their text ready. */
function endOf(findings: Findings, came: Outcome): ExchangeEnd {
  const { caller, request, issued } = findings;
  const of = issued ?? caller;
  if (of === undefined || request === undefined) return newEnd(findings, came);
  const once = hasWishes(request);
  const known = lastEnds.get(of);
  if (known !== undefined && !once && isEndOf(known, findings, came)) return known.end;
  const end = newEnd(findings, came, known);
  if (!once) Object.freeze(end.request);
  const { snapshot, mapping, plan } = findings;
  // Whoever asks with wishes does not displace what others come to again.
  if (!once || known?.once !== false) {
    lastEnds.set(of, { caller, snapshot, mapping, plan, once, end });
  }
  return end;
}

function isEndOf(
  { caller, snapshot, mapping, plan, once, end }: KnownEnd,
  findings: Findings,
  { outcome, code, reason }: Outcome,
): boolean {
  return (
    !once &&
    caller === findings.caller &&
    snapshot === findings.snapshot &&
    mapping === findings.mapping &&
    plan === findings.plan &&
    end.request?.role === findings.request?.role &&
    end.request?.durationSeconds === findings.request?.durationSeconds &&
    outcome === end.outcome &&
    code === end.code &&
    reason === end.reason
  );
}

/** Parts of `known` that say the same are used again. */
function newEnd(
  findings: Findings,
  { outcome, code, reason }: Outcome,
  known?: KnownEnd,
): ExchangeEnd {
  const { caller, request, snapshot, mapping, plan, issued } = findings;
  return {
    outcome,
    code,
    reason,
    token: (caller === known?.caller ? known?.end.token : undefined) ?? tokenOf(findings),
    request: request && auditedRequest(request),
    policyRevision: snapshot?.revision,
    mapping: mapping === known?.mapping ? known?.end.mapping : mapping && auditedMapping(mapping),
    session: plan === known?.plan ? known?.end.session : plan && auditedSession(plan),
    // Where there are any, it is the end of the same result of issuing.
    credentials: issued && (known?.end.credentials ?? auditedCredentials(issued)),
  };
}

function hasWishes({ sessionName, policy, policyArns }: SessionWishes): boolean {
  return sessionName !== undefined || policy !== undefined || policyArns !== undefined;
}

function tokenOf({ caller, request }: Findings): AuditedToken | undefined {
  if (caller !== undefined) return auditedToken(caller);
  return request && { sha256: tokenDigest(request.token) };
}
