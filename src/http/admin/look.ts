/** Shows administrators what they ask to see, and puts on record what that was and who was refused. Edits are authorized by their use case, which records who was refused. */

import { type AdminAccess, requireAdmin } from '../../core/admin-access.ts';
import type { Caller } from '../../core/caller.ts';
import type { AuditLog, TokenValidator } from '../../core/ports.ts';
import type { RequestContext } from '../../core/request-context.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { AdmittedRequest } from '../admission.ts';
import type { RouteHandler } from '../arrival.ts';
import { bearerToken } from '../bearer-token.ts';
import { recordAccess } from '../record-access.ts';
import { sendJson } from '../send-json.ts';

export interface LookParts {
  readonly validator: TokenValidator;
  /** As it is at the moment. */
  readonly access: () => AdminAccess;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

/** What an administrator may read of the request, and who that is. */
export interface Reader {
  readonly req: AdmittedRequest;
  readonly admin: Caller;
}

export interface Seen {
  readonly document: object;
  readonly headers?: readonly string[];
}

/** The route of something that can be seen; it sends nothing itself, so that whoever was taken out meanwhile sees nothing (T340). */
export type AdminLook = (
  see: (reader: Reader, context: RequestContext) => Seen | Promise<Seen>,
) => RouteHandler;

export function lookBy({ validator, access, audit, clock }: LookParts): AdminLook {
  const requireReader = (caller: Caller) => requireAdmin(access(), caller, 'read', clock.now());
  return (see) =>
    async function look(arrival, context) {
      const { document, headers } = await recordAccess(
        { audit, clock },
        'admin',
        { arrival, context },
        {
          async permit(req, looking) {
            const token = bearerToken(req.headers.authorization);
            const caller = await validator.validate(token, context.sourceIp);
            looking.caller = caller;
            context.caller = caller;
            requireReader(caller);
            return { req, admin: caller };
          },
          see: (reader) => see(reader, context),
          stillPermits(caller) {
            validator.requireStillAccepted(caller);
            requireReader(caller);
          },
        },
      );
      sendJson(arrival.admit().res, 200, document, context.requestId, headers);
    };
}
