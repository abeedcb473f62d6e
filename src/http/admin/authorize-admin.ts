/** Lets administrators read, and puts on record what they read and who was refused. Edits are authorized by their use case, which records who was refused. */

import type { Request } from 'express';
import { type AdminAccess, requireAdmin } from '../../core/admin-access.ts';
import type { RequestContext } from '../../core/audit-record.ts';
import type { Caller } from '../../core/caller.ts';
import type { AuditLog, TokenValidator } from '../../core/ports.ts';
import type { Clock } from '../../kit/timing/clock.ts';
import type { Admission } from '../admission.ts';
import { bearerToken } from '../bearer-token.ts';
import { recordAccess } from '../record-access.ts';

export interface AuthorizeAdminOptions {
  readonly validator: TokenValidator;
  readonly access: AdminAccess;
  readonly admit: Admission;
  readonly audit: AuditLog;
  readonly clock: Clock;
}

/** @throws BrokerError */
export type AuthorizeReader = (req: Request, context: RequestContext) => Promise<Caller>;

export function authorizeReader({
  validator,
  access,
  admit,
  audit,
  clock,
}: AuthorizeAdminOptions): AuthorizeReader {
  return (req, context) =>
    recordAccess({ audit, clock }, 'admin', { req, context }, async (looking) => {
      admit(req);
      const token = bearerToken(req.headers.authorization);
      const caller = await validator.validate(token, context.sourceIp);
      looking.caller = caller;
      context.client = caller.clientId;
      requireAdmin(access, caller, 'read', clock.now());
      return caller;
    });
}
