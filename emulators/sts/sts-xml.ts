/** The answers of the STS query protocol (API version 2011-06-15), as XML. */

import { type XmlElement, xmlElements } from '../../src/core/xml.ts';

export interface WebIdentityAnswer {
  readonly subjectFromWebIdentityToken: string | undefined;
  readonly audience: string | undefined;
  readonly assumedRoleArn: string | undefined;
  readonly assumedRoleId: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly secretAccessKey: string | undefined;
  readonly sessionToken: string | undefined;
  readonly expiration: string | undefined;
  readonly provider: string | undefined;
  readonly packedPolicySize: string | undefined;
  readonly sourceIdentity: string | undefined;
}

export interface CallerIdentityAnswer {
  readonly arn: string;
  readonly userId: string;
  readonly account: string;
}

/** A field that is `undefined` leaves its element out. */
export function webIdentityXml(answer: WebIdentityAnswer, requestId: string): string {
  return responseXml('AssumeRoleWithWebIdentity', requestId, [
    ['SubjectFromWebIdentityToken', answer.subjectFromWebIdentityToken],
    ['Audience', answer.audience],
    [
      'AssumedRoleUser',
      [
        ['Arn', answer.assumedRoleArn],
        ['AssumedRoleId', answer.assumedRoleId],
      ],
    ],
    [
      'Credentials',
      [
        ['AccessKeyId', answer.accessKeyId],
        ['SecretAccessKey', answer.secretAccessKey],
        ['SessionToken', answer.sessionToken],
        ['Expiration', answer.expiration],
      ],
    ],
    ['Provider', answer.provider],
    ['PackedPolicySize', answer.packedPolicySize],
    ['SourceIdentity', answer.sourceIdentity],
  ]);
}

export function callerIdentityXml(answer: CallerIdentityAnswer, requestId: string): string {
  return responseXml('GetCallerIdentity', requestId, [
    ['Arn', answer.arn],
    ['UserId', answer.userId],
    ['Account', answer.account],
  ]);
}

export function errorXml(
  error: { readonly status: number; readonly code: string; readonly message: string },
  requestId: string,
): string {
  return rootXml('ErrorResponse', [
    [
      'Error',
      [
        ['Type', error.status < 500 ? 'Sender' : 'Receiver'],
        ['Code', error.code],
        ['Message', error.message],
      ],
    ],
    ['RequestId', requestId],
  ]);
}

function responseXml(action: string, requestId: string, result: readonly XmlElement[]): string {
  return rootXml(`${action}Response`, [
    [`${action}Result`, result],
    ['ResponseMetadata', [['RequestId', requestId]]],
  ]);
}

function rootXml(name: string, children: readonly XmlElement[]): string {
  return `<${name} xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n${xmlElements(children)}</${name}>\n`;
}
