/**
 * `GET /v1/caller`: who the token proves the caller to be, what they may ask for right now, and with `?role=` why
 * they would or would not get that one. Only mappings that name the caller are spoken of (T26).
 */

import { z } from 'zod';
import { type AccessHelp, contactFor, contactOfOwner } from '../../core/access-help.ts';
import type { Caller } from '../../core/caller.ts';
import { type Decision, decide, permittedMappings } from '../../core/policy/decide.ts';
import type { PolicySnapshot } from '../../core/policy/policy-snapshot.ts';
import type { AuditLog, CallerLimit, PolicySource, TokenValidator } from '../../core/ports.ts';
import { type Clock, toRfc3339 } from '../../kit/timing/clock.ts';
import type { RouteHandler } from '../arrival.ts';
import { bearerToken } from '../bearer-token.ts';
import { readQuery } from '../query.ts';
import { recordAccess } from '../record-access.ts';
import { requestedRole } from '../requested-role.ts';
import { sendJson } from '../send-json.ts';

export interface DescribeCallerOptions {
  readonly validator: TokenValidator;
  readonly limit: CallerLimit;
  readonly policy: PolicySource;
  readonly audit: AuditLog;
  readonly accessHelp: AccessHelp;
  readonly clock: Clock;
}

export function describeCaller(options: DescribeCallerOptions): RouteHandler {
  const { validator, limit, policy, audit, accessHelp, clock } = options;
  return async function describe(arrival, context) {
    const document = await recordAccess(
      { audit, clock },
      'api',
      { arrival, context },
      {
        async permit(req, looking) {
          const query = readQuery(req, callerQuery);
          const token = bearerToken(req.headers.authorization);
          const proven = await validator.validate(token, context.sourceIp);
          looking.caller = proven;
          context.caller = proven;
          limit.charge(proven);
          return { role: query.role, caller: proven };
        },
        see({ role, caller }) {
          const { sourceIp } = context;
          const situation = { snapshot: policy.current(), caller, sourceIp, now: clock.now() };
          return {
            caller: describeIdentity(caller),
            roles: rolesOf(situation),
            asked: role && answerFor(role, situation, accessHelp),
          };
        },
        stillPermits: (proven) => validator.requireStillAccepted(proven),
      },
    );
    sendJson(arrival.admit().res, 200, document, context.requestId);
  };
}

const callerQuery = z.strictObject({ role: requestedRole.optional() });

interface Situation {
  readonly snapshot: PolicySnapshot;
  readonly caller: Caller;
  readonly sourceIp: string;
  readonly now: number;
}

function rolesOf({ snapshot, caller, sourceIp, now }: Situation) {
  return permittedMappings(snapshot, caller, sourceIp, now)
    .map(({ mapping }) => ({
      mapping: mapping.id,
      role: mapping.role,
      description: mapping.description,
      durationSeconds: mapping.session.durationSeconds,
      maxDurationSeconds: mapping.session.maxDurationSeconds,
    }))
    .sort((a, b) => (a.mapping < b.mapping ? -1 : 1));
}

/** By the same decision as an exchange; which deny matched is not the caller's business. */
function answerFor(
  role: string,
  { snapshot, caller, sourceIp, now }: Situation,
  accessHelp: AccessHelp,
) {
  const request = { role, durationSeconds: undefined, sourceIp };
  const decision = decide(snapshot, caller, request, now);
  if (decision.kind !== 'deny') return { role, decision: 'allow' };
  const contact = ownersContact(decision, accessHelp) ?? contactFor(accessHelp, role);
  return { role, decision: 'deny', reason: decision.reason, contact };
}

/** Of the owner of a mapping that is about this caller, as the reason says already; of a deny nobody is told. */
function ownersContact(
  { reason, mapping }: Extract<Decision, { kind: 'deny' }>,
  accessHelp: AccessHelp,
): string | undefined {
  if (mapping === undefined || reason === 'explicit_deny') return undefined;
  return contactOfOwner(accessHelp, mapping.mapping.owner);
}

function describeIdentity(caller: Caller) {
  return {
    issuer: caller.issuer,
    pool: caller.pool,
    subject: caller.subject,
    client: caller.clientId,
    tokenUse: caller.tokenUse,
    groups: caller.groups,
    scopes: [...caller.scopes],
    audience: caller.audience,
    expiresAt: toRfc3339(caller.expiresAt),
  };
}
