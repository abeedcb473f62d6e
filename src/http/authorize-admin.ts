/** Lets administrators read. Edits are authorized by their use case, which records who was refused. */

import type { Request } from 'express';
import { type AdminAccess, requireAdmin } from '../core/admin-access.ts';
import type { RequestContext } from '../core/audit-record.ts';
import type { Caller } from '../core/caller.ts';
import type { Clock } from '../core/clock.ts';
import type { TokenValidator } from '../core/ports.ts';
import type { Admission } from './admission.ts';
import { bearerToken } from './bearer-token.ts';

export interface AuthorizeAdminOptions {
  readonly validator: TokenValidator;
  readonly access: AdminAccess;
  readonly admit: Admission;
  readonly clock: Clock;
}

/** @throws BrokerError */
export type AuthorizeReader = (req: Request, context: RequestContext) => Promise<Caller>;

export function authorizeReader({
  validator,
  access,
  admit,
  clock,
}: AuthorizeAdminOptions): AuthorizeReader {
  return async (req, context) => {
    admit(req);
    const caller = await validator.validate(
      bearerToken(req.headers.authorization),
      context.sourceIp,
    );
    context.client = caller.clientId;
    requireAdmin(access, caller, 'read', clock.now());
    return caller;
  };
}
