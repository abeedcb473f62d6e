/** The answers of the STS query protocol, as this service sends them. */

import type { Response } from 'express';
import { accountOf } from '../../../core/aws-names.ts';
import type { IssuedSession } from '../../../core/credentials.ts';
import { remember } from '../../../core/remember.ts';
import { toRfc3339 } from '../../../kit/timing/clock.ts';
import {
  callerIdentityXml,
  resultTail,
  webIdentityAction,
  webIdentityHead,
} from '../../../sts-protocol/answers.ts';
import { bodyText, endWith } from '../../body-text.ts';
import { responseHeaders } from '../../response-headers.ts';

export function sendWebIdentity(res: Response, session: IssuedSession, requestId: string): void {
  sendXml(res, 200, headOf(session) + resultTail(webIdentityAction, requestId), requestId);
}

export function sendCallerIdentity(res: Response, session: IssuedSession, requestId: string): void {
  const { assumedRoleArn: arn, assumedRoleId: userId } = session;
  const account = accountOf(arn);
  sendXml(res, 200, callerIdentityXml({ arn, userId, account }, requestId), requestId);
}

export function sendXml(
  res: Response,
  status: number,
  document: string,
  requestId: string,
  headers: readonly string[] = [],
): void {
  const body = bodyText(document);
  res.writeHead(status, [
    ...responseHeaders(res.socket),
    ...headers,
    'X-Request-Id',
    requestId,
    // Where SDKs look for it.
    'x-amzn-RequestId',
    requestId,
    'Content-Type',
    'text/xml',
    'Content-Length',
    String(body.bytes),
  ]);
  endWith(res, body);
}

/** Printed once, and dropped together with the session when the cache lets go of it. */
const headOf = remember(({ credentials, packedPolicySize, ...session }: IssuedSession): string =>
  webIdentityHead({
    subjectFromWebIdentityToken: session.subject,
    audience: session.audience,
    assumedRoleArn: session.assumedRoleArn,
    assumedRoleId: session.assumedRoleId,
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    sessionToken: credentials.sessionToken,
    expiration: toRfc3339(credentials.expiresAt),
    provider: session.provider,
    packedPolicySize: packedPolicySize === undefined ? undefined : String(packedPolicySize),
    sourceIdentity: undefined,
  }),
);
