/** What a caller asked for, as records have it. */

import { hash } from 'node:crypto';
import { policyArnPattern } from '../aws-names.ts';
import { isSessionName } from '../session/session-name.ts';
import { maxPolicyArns } from '../session/session-settings.ts';
import type { SessionWishes } from '../session/session-wishes.ts';

export interface AuditedRequest {
  readonly role?: string | undefined;
  readonly durationSeconds?: number | undefined;
  /** RoleSessionName that was asked for, whether it counted or not; absent if it is not a legal one. */
  readonly sessionName?: string | undefined;
  /** Lower-case hex SHA-256 of the caller's own session policy, as it was sent. */
  readonly policySha256?: string | undefined;
  /** The caller's own, as they were sent: the first ten of those that are ARNs of managed policies. */
  readonly policyArns?: readonly string[] | undefined;
}

/** Texts are kept in a legal form only: what was put there by mistake may be a token or a key (T33). */
export function auditedRequest({
  role,
  durationSeconds,
  sessionName,
  policy,
  policyArns = [],
}: Pick<AuditedRequest, 'role' | 'durationSeconds'> & SessionWishes): AuditedRequest {
  return {
    role,
    durationSeconds,
    sessionName: sessionName !== undefined && isSessionName(sessionName) ? sessionName : undefined,
    policySha256: policy === undefined ? undefined : hash('sha256', policy, 'hex'),
    policyArns: policyArns.length === 0 ? undefined : legalArns(policyArns),
  };
}

function legalArns(arns: readonly string[]): readonly string[] {
  return arns.filter((arn) => policyArnPattern.test(arn)).slice(0, maxPolicyArns);
}
