/** The REST form of issued credentials, printed once per session and sent as bytes afterwards. */

import { toRfc3339 } from '../core/clock.ts';
import type { IssuedSession } from '../core/credentials.ts';
import type { SessionPlan } from '../core/session.ts';

export type CredentialsDocument = (session: IssuedSession, plan: SessionPlan) => Buffer;

export function credentialsDocument(): CredentialsDocument {
  // Dropped together with the session when the cache lets go of it.
  const printed = new WeakMap<IssuedSession, Buffer>();
  return (session, plan) => {
    let document = printed.get(session);
    if (document === undefined) {
      document = Buffer.from(JSON.stringify(documentOf(session, plan)));
      printed.set(session, document);
    }
    return document;
  };
}

function documentOf(
  { credentials, assumedRoleArn, assumedRoleId }: IssuedSession,
  plan: SessionPlan,
) {
  return {
    credentials: {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
      sessionToken: credentials.sessionToken,
      expiration: toRfc3339(credentials.expiresAt),
    },
    assumedRole: { arn: assumedRoleArn, id: assumedRoleId },
    mapping: plan.mappingId,
    role: plan.roleArn,
  };
}
