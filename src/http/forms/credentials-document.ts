/** Issued credentials as documents, printed once per session and sent as bytes afterwards. */

import type { IssuedSession } from '../../core/credentials.ts';
import type { SessionPlan } from '../../core/session/session.ts';
import { toRfc3339 } from '../../kit/timing/clock.ts';

export type CredentialsDocument = (session: IssuedSession, plan: SessionPlan) => Buffer;

/** The REST form. */
export const credentialsDocument = (): CredentialsDocument => printedOnce(documentOf);

/** The form of the container-credentials protocol, as the AWS SDKs read it. */
export const containerCredentialsDocument = (): CredentialsDocument =>
  printedOnce(containerDocumentOf);

function printedOnce(
  form: (session: IssuedSession, plan: SessionPlan) => object,
): CredentialsDocument {
  // Dropped together with the session when the cache lets go of it.
  const printed = new WeakMap<IssuedSession, Buffer>();
  return (session, plan) => {
    let document = printed.get(session);
    if (document === undefined) {
      document = Buffer.from(JSON.stringify(form(session, plan)));
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

function containerDocumentOf({ credentials }: IssuedSession, { roleArn }: SessionPlan) {
  return {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: toRfc3339(credentials.expiresAt),
    AccountId: roleArn.split(':')[4],
    RoleArn: roleArn,
  };
}
