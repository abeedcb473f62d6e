/** Lets administrators read, and puts on record what they read and who was refused. Edits are authorized by their use case, which records who was refused. */

import { type AdminAccess, requireAdmin } from '../../core/admin-access.ts';
import type { Caller } from '../../core/caller.ts';
import type { AuditLog, TokenValidator } from '../../core/ports.ts';
import type { RequestContext } from '../../core/request-context.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { AdmittedRequest } from '../admission.ts';
import type { Arrival } from '../arrival.ts';
import { bearerToken } from '../bearer-token.ts';
import { recordAccess } from '../record-access.ts';

export interface AuthorizeAdminOptions {
  readonly validator: TokenValidator;
  /** As it is at the moment. */
  readonly access: () => AdminAccess;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

/** What an administrator may read of the request, and who that is. */
export interface AuthorizedReader {
  readonly req: AdmittedRequest;
  readonly admin: Caller;
}

/** @throws BrokerError */
export type AuthorizeReader = (
  arrival: Arrival,
  context: RequestContext,
) => Promise<AuthorizedReader>;

export function authorizeReader({
  validator,
  access,
  audit,
  clock,
}: AuthorizeAdminOptions): AuthorizeReader {
  return (arrival, context) =>
    recordAccess(
      { audit, clock },
      'admin',
      { arrival, context },
      {
        async permit(req, looking) {
          const token = bearerToken(req.headers.authorization);
          const caller = await validator.validate(token, context.sourceIp);
          looking.caller = caller;
          context.caller = caller;
          requireAdmin(access(), caller, 'read', clock.now());
          return { req, admin: caller };
        },
        stillPermits(caller) {
          validator.requireStillAccepted(caller);
          requireAdmin(access(), caller, 'read', clock.now());
        },
      },
    );
}
