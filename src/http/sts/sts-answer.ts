/** The answers of the STS query protocol, API version 2011-06-15, as XML. */

import type { Response } from 'express';
import type { IssuedSession } from '../../core/credentials.ts';
import { remember } from '../../core/remember.ts';
import { type XmlElement, xmlElements } from '../../core/xml.ts';
import { toRfc3339 } from '../../kit/timing/clock.ts';
import { responseHeaders } from '../response-headers.ts';
import { callerIdentityAction, webIdentityAction } from './operation.ts';

export function sendWebIdentity(res: Response, session: IssuedSession, requestId: string): void {
  const tail = Buffer.from(resultTail(webIdentityAction, requestId));
  sendXml(res, 200, Buffer.concat([webIdentityHead(session), tail]), requestId);
}

export function sendCallerIdentity(res: Response, session: IssuedSession, requestId: string): void {
  const { assumedRoleArn, assumedRoleId } = session;
  const head = resultHead(callerIdentityAction, [
    ['Arn', assumedRoleArn],
    ['UserId', assumedRoleId],
    ['Account', assumedRoleArn.split(':')[4]],
  ]);
  const document = Buffer.from(head + resultTail(callerIdentityAction, requestId));
  sendXml(res, 200, document, requestId);
}

export interface StsErrorFields {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

export function stsErrorDocument(
  { status, code, message }: StsErrorFields,
  requestId: string,
): Buffer {
  const error: XmlElement[] = [
    ['Type', status < 500 ? 'Sender' : 'Receiver'],
    ['Code', code],
    ['Message', message],
  ];
  const elements = xmlElements([
    ['Error', error],
    ['RequestId', requestId],
  ]);
  return Buffer.from(`${rootStart('ErrorResponse')}${elements}</ErrorResponse>\n`);
}

export function sendXml(
  res: Response,
  status: number,
  document: Buffer,
  requestId: string,
  headers: readonly string[] = [],
): void {
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
    String(document.length),
  ]);
  res.end(document);
}

/** Printed once, and dropped together with the session when the cache lets go of it. */
const webIdentityHead = remember((session: IssuedSession): Buffer => {
  const { credentials, packedPolicySize } = session;
  return Buffer.from(
    resultHead(webIdentityAction, [
      ['SubjectFromWebIdentityToken', session.subject],
      ['Audience', session.audience],
      [
        'AssumedRoleUser',
        [
          ['Arn', session.assumedRoleArn],
          ['AssumedRoleId', session.assumedRoleId],
        ],
      ],
      [
        'Credentials',
        [
          ['AccessKeyId', credentials.accessKeyId],
          ['SecretAccessKey', credentials.secretAccessKey],
          ['SessionToken', credentials.sessionToken],
          ['Expiration', toRfc3339(credentials.expiresAt)],
        ],
      ],
      ['Provider', session.provider],
      ['PackedPolicySize', packedPolicySize === undefined ? undefined : String(packedPolicySize)],
    ]),
  );
});

/** Everything before the request id. */
function resultHead(action: string, result: readonly XmlElement[]): string {
  return rootStart(`${action}Response`) + xmlElements([[`${action}Result`, result]]);
}

function resultTail(action: string, requestId: string): string {
  const metadata = xmlElements([['ResponseMetadata', [['RequestId', requestId]]]]);
  return `${metadata}</${action}Response>\n`;
}

function rootStart(name: string): string {
  return `<${name} xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n`;
}
