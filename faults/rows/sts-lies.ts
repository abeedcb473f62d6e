/** Sixteen ways to answer 200 without having given the session that was asked for. */

import type { StsFault } from '../../emulators/sts/sts-fault.ts';
import type { WebIdentityAnswer } from '../../src/sts-protocol/answers.ts';

export function lies(otherAccount: string): readonly (readonly [name: string, fault: StsFault])[] {
  const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
  return [
    ['the page of a captive portal', body('text/html', '<html><body>Welcome!</body></html>')],
    ['nothing', body('text/xml', '')],
    ['half an answer', body('text/xml', '<AssumeRoleWithWebIdentityResponse><Assume')],
    ['JSON', body('application/json', '{"Credentials":{"AccessKeyId":"ASIAAAAAAAAAAAAAAAAA"}}')],
    ['the answer to something else', body('text/xml', '<GetCallerIdentityResponse/>')],
    ['no access key id', without('accessKeyId')],
    ['no secret access key', rewritten({ secretAccessKey: '' })],
    ['no session token', without('sessionToken')],
    ['no expiration', without('expiration')],
    ['an expiration that is past', rewritten({ expiration: '2001-01-01T00:00:00Z' })],
    ['an expiration that is about to be', rewritten({ expiration: inMs(30_000) })],
    ['an expiration in thirty days', rewritten({ expiration: inMs(30 * 86_400_000) })],
    [
      'a role of another account',
      changed('assumedRoleArn', (arn) => arn.replace(/\d{12}/, otherAccount)),
    ],
    ['another role', changed('assumedRoleArn', (arn) => arn.replace(/role\/[^/]+/, 'role/admin'))],
    ['the session of somebody else', changed('assumedRoleArn', (arn) => `${arn}0`)],
    ['another subject', rewritten({ subjectFromWebIdentityToken: 'somebody-else' })],
  ];
}

function body(contentType: string, text: string): StsFault {
  return { kind: 'body', status: 200, contentType, body: text };
}

function rewritten(fields: Partial<WebIdentityAnswer>): StsFault {
  return { kind: 'answer', rewrite: (answer) => ({ ...answer, ...fields }) };
}

function without(field: keyof WebIdentityAnswer): StsFault {
  return rewritten({ [field]: undefined });
}

function changed(field: keyof WebIdentityAnswer, change: (text: string) => string): StsFault {
  return {
    kind: 'answer',
    rewrite: (answer) => ({ ...answer, [field]: change(answer[field] ?? '') }),
  };
}
