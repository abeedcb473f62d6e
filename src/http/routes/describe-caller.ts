/** `GET /v1/caller`: who the token proves the caller to be, and what they may ask for right now. */

import type { Caller } from '../../core/caller.ts';
import { type Clock, toRfc3339 } from '../../core/clock.ts';
import { permittedMappings } from '../../core/decide.ts';
import type { PolicySource, TokenValidator } from '../../core/ports.ts';
import type { Admission } from '../admission.ts';
import { bearerToken } from '../bearer-token.ts';
import type { RouteHandler } from '../instrument.ts';
import { requireNoQuery } from '../query.ts';
import { sendJson } from '../send-json.ts';

export interface DescribeCallerOptions {
  readonly validator: TokenValidator;
  readonly policy: PolicySource;
  readonly admit: Admission;
  readonly clock: Clock;
}

export function describeCaller(options: DescribeCallerOptions): RouteHandler {
  const { validator, policy, admit, clock } = options;
  return async function describe(req, res, context) {
    admit(req);
    requireNoQuery(req);
    const caller = await validator.validate(bearerToken(req.headers.authorization));
    const permitted = permittedMappings(policy.current(), caller, context.sourceIp, clock.now());
    const roles = permitted
      .map(({ mapping }) => ({
        mapping: mapping.id,
        role: mapping.role,
        description: mapping.description,
        durationSeconds: mapping.session.durationSeconds,
        maxDurationSeconds: mapping.session.maxDurationSeconds,
      }))
      .sort((a, b) => (a.mapping < b.mapping ? -1 : 1));
    sendJson(res, 200, { caller: describeIdentity(caller), roles }, context.requestId);
  };
}

function describeIdentity(caller: Caller) {
  return {
    issuer: caller.issuer,
    pool: caller.pool,
    subject: caller.subject,
    ...(caller.clientId === undefined ? {} : { client: caller.clientId }),
    tokenUse: caller.tokenUse,
    groups: caller.groups,
    scopes: [...caller.scopes],
    ...(caller.audience === undefined ? {} : { audience: caller.audience }),
    expiresAt: toRfc3339(caller.expiresAt),
  };
}
