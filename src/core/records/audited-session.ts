/** What was decided and issued, as records have it. */

import { toRfc3339 } from '../../kit/timing/clock.ts';
import type { IssuedWebIdentity, IssueResult } from '../credentials.ts';
import type { CompiledMapping } from '../policy/compiled-mapping.ts';
import type { Attribution } from '../session/attribution.ts';
import type { SessionPlan } from '../session/session.ts';
import type { IdentityForm } from '../session/session-settings.ts';

export interface AuditedMapping {
  readonly id: string;
  readonly version: number;
}

export function auditedMapping({ mapping, version }: CompiledMapping): AuditedMapping {
  return Object.freeze({ id: mapping.id, version });
}

export interface AuditedSession {
  readonly role: string;
  readonly name: string;
  readonly durationSeconds: number;
  readonly policySha256?: string | undefined;
  readonly policyArns?: readonly string[] | undefined;
  /** Where the mapping says which web identity token STS is shown. */
  readonly identity?: IdentityForm | undefined;
  /** Keys and values, by key. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  readonly transitiveTagKeys?: readonly string[] | undefined;
  readonly sourceIdentity?: string | undefined;
}

export function auditedSession(plan: SessionPlan): AuditedSession {
  return Object.freeze({
    role: plan.roleArn,
    name: plan.sessionName,
    durationSeconds: plan.durationSeconds,
    policySha256: plan.policySha256,
    policyArns: plan.policyArns.length === 0 ? undefined : plan.policyArns,
    identity: plan.identity,
    ...(plan.attribution && auditedAttribution(plan.attribution)),
  });
}

function auditedAttribution({ tags, transitiveTagKeys, sourceIdentity }: Attribution) {
  return {
    tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
    transitiveTagKeys: transitiveTagKeys.length === 0 ? undefined : transitiveTagKeys,
    sourceIdentity: sourceIdentity?.value,
  };
}

export interface AuditedCredentials {
  /** Whether the credentials came from the cache. */
  readonly cached: boolean;
  /** With `stsRequestId` and `assumedRoleId`, the join with CloudTrail. */
  readonly accessKeyId: string;
  readonly assumedRoleId: string;
  /** Null: it was lost between STS and here; the other two are the join. */
  readonly stsRequestId: string | null;
  readonly expiration: string;
  /** The token of the broker that they were issued for; its own record came before it was sent. */
  readonly webIdentity?: IssuedWebIdentity | undefined;
}

export function auditedCredentials({ session, cached }: IssueResult): AuditedCredentials {
  return Object.freeze({
    cached,
    accessKeyId: session.credentials.accessKeyId,
    assumedRoleId: session.assumedRoleId,
    stsRequestId: session.stsRequestId ?? null,
    expiration: toRfc3339(session.credentials.expiresAt),
    webIdentity: session.webIdentity,
  });
}
