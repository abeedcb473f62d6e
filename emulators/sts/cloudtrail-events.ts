/** What CloudTrail would say of an exchange, in its shape and without the secrets that it keeps out, or that AWS does not. */

import { randomUUID } from 'node:crypto';
import type { WebIdentityAction } from './web-identity-exchange.ts';
import type { WebIdentityParameters } from './web-identity-request.ts';

export type CloudTrailEvent = Readonly<Record<string, unknown>>;

export interface ExchangeFacts {
  readonly request: WebIdentityParameters;
  readonly exchange: WebIdentityAction;
  readonly requestId: string;
  /** Epoch milliseconds. */
  readonly now: number;
  readonly userAgent: string | undefined;
}

/** The fields of https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html, as far as this server knows them. */
export function exchangeEvent(facts: ExchangeFacts): CloudTrailEvent {
  const { request, requestId, now, userAgent } = facts;
  const { answer, authorizedByIdp } = facts.exchange;
  return {
    eventVersion: '1.08',
    userIdentity: {
      type: 'WebIdentityUser',
      principalId: `${answer.provider}:${answer.audience}:${answer.subjectFromWebIdentityToken}`,
      userName: answer.subjectFromWebIdentityToken,
      identityProvider: answer.provider,
    },
    eventTime: `${new Date(now).toISOString().slice(0, 19)}Z`,
    eventSource: 'sts.amazonaws.com',
    eventName: 'AssumeRoleWithWebIdentity',
    awsRegion: 'us-east-1',
    sourceIPAddress: '127.0.0.1',
    ...(userAgent === undefined ? {} : { userAgent }),
    requestParameters: requestParameters(facts),
    responseElements: {
      // AWS has the session token here, too: it is left out so that nobody has to guard these files.
      credentials: { accessKeyId: answer.accessKeyId, expiration: answer.expiration },
      subjectFromWebIdentityToken: answer.subjectFromWebIdentityToken,
      assumedRoleUser: { assumedRoleId: answer.assumedRoleId, arn: answer.assumedRoleArn },
      provider: answer.provider,
      audience: answer.audience,
      ...(answer.sourceIdentity === undefined ? {} : { sourceIdentity: answer.sourceIdentity }),
    },
    ...(authorizedByIdp ? { additionalEventData: { RoleAuthorizedByIdp: true } } : {}),
    requestID: requestId,
    eventID: randomUUID(),
    readOnly: true,
    resources: [
      { accountId: request.role.accountId, type: 'AWS::IAM::Role', ARN: request.roleArn },
    ],
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: request.role.accountId,
    eventCategory: 'Management',
  };
}

function requestParameters({ request, exchange: { sessionClaims } }: ExchangeFacts) {
  const { tags, transitiveTagKeys, sourceIdentity } = sessionClaims;
  return {
    roleArn: request.roleArn,
    roleSessionName: request.roleSessionName,
    durationSeconds: request.durationSeconds,
    ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
    ...(tags === undefined ? {} : { principalTags: Object.fromEntries(tags) }),
    ...(transitiveTagKeys.length === 0 ? {} : { transitiveTagKeys }),
  };
}
