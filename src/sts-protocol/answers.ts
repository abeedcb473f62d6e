/** The answers of the STS query protocol as XML, in the order of elements that STS has. */

import { type XmlElement, xmlElements } from './xml.ts';

export const stsVersion = '2011-06-15';
export const webIdentityAction = 'AssumeRoleWithWebIdentity';
export const callerIdentityAction = 'GetCallerIdentity';

/** A field that is `undefined` leaves its element out. */
export interface WebIdentityAnswer {
  readonly subjectFromWebIdentityToken: string | undefined;
  readonly audience: string | undefined;
  readonly assumedRoleArn: string | undefined;
  readonly assumedRoleId: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly secretAccessKey: string | undefined;
  readonly sessionToken: string | undefined;
  /** RFC 3339. */
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

export interface StsErrorFields {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** All that comes before the request id; `resultTail` is the rest. */
export function webIdentityHead(answer: WebIdentityAnswer): string {
  return resultHead(webIdentityAction, [
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
  const head = resultHead(callerIdentityAction, [
    ['Arn', answer.arn],
    ['UserId', answer.userId],
    ['Account', answer.account],
  ]);
  return head + resultTail(callerIdentityAction, requestId);
}

export function errorXml({ status, code, message }: StsErrorFields, requestId: string): string {
  const error: XmlElement[] = [
    ['Type', status < 500 ? 'Sender' : 'Receiver'],
    ['Code', code],
    ['Message', message],
  ];
  const elements = xmlElements([
    ['Error', error],
    ['RequestId', requestId],
  ]);
  return `${rootStart('ErrorResponse')}${elements}</ErrorResponse>\n`;
}

export function resultTail(action: string, requestId: string): string {
  const metadata = xmlElements([['ResponseMetadata', [['RequestId', requestId]]]]);
  return `${metadata}</${action}Response>\n`;
}

function resultHead(action: string, result: readonly XmlElement[]): string {
  return rootStart(`${action}Response`) + xmlElements([[`${action}Result`, result]]);
}

function rootStart(name: string): string {
  return `<${name} xmlns="https://sts.amazonaws.com/doc/${stsVersion}/">\n`;
}
